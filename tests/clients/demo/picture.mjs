// Takes a picture of a page as a small PNG: with the 256 most frequent colours, instead of all the shades at the edges of letters.
import { writeFile } from 'node:fs/promises';
import { crc32, deflateSync } from 'node:zlib';

// Runs in a browser: reads the picture, and returns its size, its colours, and which of them each pixel has.
async function read(picture) {
  const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${picture}`)).blob());
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height).getContext('2d');
  canvas.drawImage(bitmap, 0, 0);
  const { data } = canvas.getImageData(0, 0, width, height);
  const counts = new Map();
  const colour = (pixel) => (data[4 * pixel] << 16) | (data[4 * pixel + 1] << 8) | data[4 * pixel + 2];
  for (let pixel = 0; pixel < width * height; pixel++) counts.set(colour(pixel), (counts.get(colour(pixel)) ?? 0) + 1);
  const colours = [...counts].sort(([, one], [, other]) => other - one).slice(0, 256).map(([kept]) => kept);
  const parts = (all) => [all >> 16, (all >> 8) & 255, all & 255];
  const distance = (one, other) => parts(one).reduce((sum, part, at) => sum + (part - parts(other)[at]) ** 2, 0);
  const nearest = new Map();
  const place = (wanted) => {
    if (!nearest.has(wanted)) {
      const distances = colours.map((kept) => distance(kept, wanted));
      nearest.set(wanted, distances.indexOf(Math.min(...distances)));
    }
    return nearest.get(wanted);
  };
  // As text: a list of a million numbers takes seconds on its way.
  const pixels = new Uint8Array(width * height).map((_, pixel) => place(colour(pixel)));
  const pieces = [];
  for (let at = 0; at < pixels.length; at += 8192) pieces.push(String.fromCharCode(...pixels.subarray(at, at + 8192)));
  return { width, height, colours: colours.flatMap(parts), pixels: btoa(pieces.join('')) };
}

function chunk(kind, data) {
  const named = Buffer.concat([Buffer.from(kind, 'latin1'), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc32(named));
  return Buffer.concat([length, named, check]);
}

export async function takePicture(page, path) {
  const taken = await page.screenshot({ animations: 'disabled' });
  const reader = await page.context().browser().newPage();
  const { width, height, colours, pixels } = await reader.evaluate(read, taken.toString('base64'));
  await reader.close();
  const named = Buffer.from(pixels, 'base64');
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits each, which name a colour of the palette.
  header.set([8, 3], 8);
  const lines = Buffer.alloc((width + 1) * height);
  for (let line = 0; line < height; line++) named.copy(lines, line * (width + 1) + 1, line * width, (line + 1) * width);
  const parts = [chunk('IHDR', header), chunk('PLTE', Buffer.from(colours)), chunk('IDAT', deflateSync(lines, { level: 9 })), chunk('IEND', Buffer.alloc(0))];
  await writeFile(path, Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), ...parts]));
}
