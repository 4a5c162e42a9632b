//! The network of all-MiniLM-L6-v2: BERT with six layers, and the mean of the tokens of a text as its vector.
//!
//! Tokens of several texts stand below each other as the rows of one matrix. Only attention looks at one text after the
//! other, so no text is filled up to the length of another, and none has an influence on another.

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};
use safetensors::{Dtype, SafeTensors};

use super::math::{Norm, add_bias, add_bias_and_gelu, normalised, softmax};
use crate::Cause;

/// Numbers of a vector.
pub(crate) const DIMS: usize = 384;
/// Positions that the network knows: a text's tokens and the marks around them.
pub(super) const POSITIONS: usize = 512;
const WORDS: usize = 30_522;
const LAYERS: usize = 6;
const HEADS: usize = 12;
const HEAD: usize = DIMS / HEADS;
const INNER: usize = 4 * DIMS;

/// The network with its weights.
#[derive(Debug)]
pub(super) struct Model {
    words: Vec<f32>,
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Layer {
    /// Queries, keys and values in one.
    attention: Dense,
    joined: Dense,
    norm: Norm,
    inner: Dense,
    outer: Dense,
    last_norm: Norm,
}

/// A matrix with a row for each number that goes in, and what is added to what comes out.
#[derive(Debug)]
struct Dense {
    weight: Vec<f32>,
    bias: Vec<f32>,
}

impl Model {
    /// Reads the weights.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Cause> {
        let file = File(SafeTensors::deserialize(bytes).map_err(|_| Cause::new("the weights cannot be read"))?);
        let mut positions = file.tensor("embeddings.position_embeddings.weight", &[POSITIONS, DIMS])?;
        // All texts are of the first type.
        let kinds = file.tensor("embeddings.token_type_embeddings.weight", &[2, DIMS])?;
        add_bias(&mut positions, kinds.get(..DIMS).unwrap_or_default());
        Ok(Self {
            words: file.tensor("embeddings.word_embeddings.weight", &[WORDS, DIMS])?,
            positions,
            norm: file.norm("embeddings.LayerNorm")?,
            layers: (0..LAYERS).map(|n| Layer::read(&file, n)).collect::<Result<_, _>>()?,
        })
    }

    /// A vector for each text. A text is the numbers of its tokens with the marks around them: at least one, at most
    /// [`POSITIONS`].
    pub(super) fn vectors(&self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, Cause> {
        let mut x = self.enter(texts)?;
        let mut space = Space::new(x.len() / DIMS);
        for layer in &self.layers {
            layer.apply(&mut x, texts, &mut space);
        }
        let mut rows = x.chunks_exact(DIMS);
        texts.iter().map(|text| mean(rows.by_ref().take(text.len()))).collect()
    }

    fn enter(&self, texts: &[&[u32]]) -> Result<Vec<f32>, Cause> {
        let mut x = Vec::with_capacity(texts.iter().map(|text| text.len()).sum::<usize>() * DIMS);
        for text in texts {
            if text.len() > POSITIONS {
                return Err(Cause::new("a text has more tokens than the model has positions"));
            }
            for (word, position) in text.iter().zip(self.positions.chunks_exact(DIMS)) {
                let at = *word as usize * DIMS;
                let word = self.words.get(at..at + DIMS).ok_or_else(|| Cause::new("the model has no such token"))?;
                x.extend(word.iter().zip(position).map(|(word, position)| word + position));
            }
        }
        self.norm.apply_alone(&mut x);
        Ok(x)
    }
}

impl Layer {
    fn read(file: &File<'_>, n: usize) -> Result<Self, Cause> {
        let at = format!("encoder.layer.{n}");
        let mut query = file.dense(&format!("{at}.attention.self.query"), DIMS, DIMS)?;
        // The scores of attention are divided by this root. Here that is done once for all texts.
        #[expect(clippy::cast_precision_loss, reason = "32")]
        let scale = (HEAD as f32).sqrt().recip();
        query.weight.iter_mut().chain(&mut query.bias).for_each(|x| *x *= scale);
        let key = file.dense(&format!("{at}.attention.self.key"), DIMS, DIMS)?;
        let value = file.dense(&format!("{at}.attention.self.value"), DIMS, DIMS)?;
        Ok(Self {
            attention: Dense::beside(&[query, key, value]),
            joined: file.dense(&format!("{at}.attention.output.dense"), DIMS, DIMS)?,
            norm: file.norm(&format!("{at}.attention.output.LayerNorm"))?,
            inner: file.dense(&format!("{at}.intermediate.dense"), DIMS, INNER)?,
            outer: file.dense(&format!("{at}.output.dense"), INNER, DIMS)?,
            last_norm: file.norm(&format!("{at}.output.LayerNorm"))?,
        })
    }

    fn apply(&self, x: &mut [f32], texts: &[&[u32]], space: &mut Space) {
        self.attention.multiply(x, &mut space.attention);
        add_bias(&mut space.attention, &self.attention.bias);
        attend(&space.attention, texts, &mut space.rows, &mut space.scores);
        self.joined.multiply(&space.rows, &mut space.out);
        self.norm.apply(x, &space.out, &self.joined.bias);
        self.inner.multiply(x, &mut space.inner);
        add_bias_and_gelu(&mut space.inner, &self.inner.bias);
        self.outer.multiply(&space.inner, &mut space.out);
        self.last_norm.apply(x, &space.out, &self.outer.bias);
    }
}

/// Room for what the layers compute, made once for a batch.
struct Space {
    attention: Vec<f32>,
    rows: Vec<f32>,
    out: Vec<f32>,
    inner: Vec<f32>,
    scores: Vec<f32>,
}

impl Space {
    fn new(rows: usize) -> Self {
        let room = |width: usize| vec![0.0; rows * width];
        Self { attention: room(3 * DIMS), rows: room(DIMS), out: room(DIMS), inner: room(INNER), scores: Vec::new() }
    }
}

/// Each token takes from all tokens of its text, most from those whose keys fit its query.
fn attend(attention: &[f32], texts: &[&[u32]], rows: &mut [f32], scores: &mut Vec<f32>) {
    let count = rows.len() / DIMS;
    let all = MatRef::from_row_major_slice(attention, count, 3 * DIMS);
    let mut out = MatMut::from_row_major_slice_mut(rows, count, DIMS);
    let mut first = 0;
    for text in texts {
        let length = text.len();
        scores.resize(length * length, 0.0);
        for head in 0..HEADS {
            let part = |n: usize| all.submatrix(first, n * DIMS + head * HEAD, length, HEAD);
            let (query, key, value) = (part(0), part(1), part(2));
            let grid = MatMut::from_row_major_slice_mut(scores, length, length);
            matmul(grid, Accum::Replace, query, key.transpose(), 1.0, Par::Seq);
            softmax(scores, length);
            let grid = MatRef::from_row_major_slice(scores, length, length);
            let into = out.as_mut().submatrix_mut(first, head * HEAD, length, HEAD);
            matmul(into, Accum::Replace, grid, value, 1.0, Par::Seq);
        }
        first += length;
    }
}

fn mean<'a>(rows: impl Iterator<Item = &'a [f32]>) -> Result<Vec<f32>, Cause> {
    // Its length becomes 1 in any case, so the sum will do.
    let sum = rows.fold(vec![0.0; DIMS], |mut sum, row| {
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        sum
    });
    normalised(sum).ok_or_else(|| Cause::new("the model made a vector without a direction"))
}

impl Dense {
    /// `rows` by the matrix, into `out`.
    fn multiply(&self, rows: &[f32], out: &mut [f32]) {
        let wide = self.bias.len();
        let (deep, count) = (self.weight.len() / wide, out.len() / wide);
        matmul(
            MatMut::from_row_major_slice_mut(out, count, wide),
            Accum::Replace,
            MatRef::from_row_major_slice(rows, count, deep),
            MatRef::from_row_major_slice(&self.weight, deep, wide),
            1.0,
            Par::Seq,
        );
    }

    /// Several as one, which gives their results beside each other.
    fn beside(parts: &[Self]) -> Self {
        let mut weight = Vec::new();
        for row in 0..DIMS {
            for part in parts {
                let wide = part.bias.len();
                weight.extend_from_slice(part.weight.get(row * wide..(row + 1) * wide).unwrap_or_default());
            }
        }
        Self { weight, bias: parts.iter().flat_map(|part| part.bias.iter().copied()).collect() }
    }
}

struct File<'a>(SafeTensors<'a>);

impl File<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Cause> {
        let found = self.0.tensor(name).map_err(|_| Cause::new(format!("the weights lack {name}")))?;
        if found.dtype() != Dtype::F32 || found.shape() != shape {
            return Err(Cause::new(format!("the weights have another form of {name}")));
        }
        Ok(found.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// The file has a row for each number that comes out.
    fn dense(&self, name: &str, deep: usize, wide: usize) -> Result<Dense, Cause> {
        let rows = self.tensor(&format!("{name}.weight"), &[wide, deep])?;
        let mut weight = vec![0.0; rows.len()];
        for (column, row) in rows.chunks_exact(deep).enumerate() {
            weight.iter_mut().skip(column).step_by(wide).zip(row).for_each(|(to, x)| *to = *x);
        }
        Ok(Dense { weight, bias: self.tensor(&format!("{name}.bias"), &[wide])? })
    }

    fn norm(&self, name: &str) -> Result<Norm, Cause> {
        let read = |part: &str| self.tensor(&format!("{name}.{part}"), &[DIMS]);
        Ok(Norm { scale: read("weight")?, shift: read("bias")? })
    }
}
