"""Writes text files in several encodings, tables as text, mail by Python's own library, and files that cannot be read."""

import csv
import io
import json
import pathlib
import sys
from email import policy
from email.message import EmailMessage

from PIL import Image

from texts import LANGUAGES, paragraph

OUT = pathlib.Path(sys.argv[1])
SOURCES = pathlib.Path(__file__).parent

PROSE = (
    "The ferry “Møwe” leaves at 7:05 – not at 7:00.\r\n\r\nA ticket costs 4 € for adults; naïve guests pay 5 €.\r\n"
    "* this star begins a line, and # this hash does not\r\n# this hash does\r\n\r\n\tAn indented line.\r\n\r\nLast line.\r\n"
)
JAPANESE = "港のお知らせ\r\n\r\n" + LANGUAGES[6][2] + "\r\n\r\n表示とソースの能力は十分である。\r\n"


def texts():
    """The same prose in each encoding that is read."""
    for name, encoding in [("utf-8", "utf-8"), ("utf-8-bom", "utf-8-sig"), ("windows-1252", "cp1252")]:
        (OUT / f"prose-{name}.txt").write_bytes(PROSE.encode(encoding))
    (OUT / "prose-utf-16le.txt").write_bytes(b"\xff\xfe" + PROSE.encode("utf-16-le"))
    (OUT / "languages-utf-16be.txt").write_bytes(b"\xfe\xff" + "\n\n".join(text for _, _, text, _ in LANGUAGES).encode("utf-16-be"))
    (OUT / "languages-utf-8.txt").write_bytes("\n\n".join(text for _, _, text, _ in LANGUAGES).encode())
    (OUT / "notice-shift-jis.txt").write_bytes(JAPANESE.encode("shift_jis"))
    (OUT / "long-prose.txt").write_text("\n\n".join(paragraph(number) for number in range(300)) + "\n", encoding="utf-8")
    (OUT / "notes.md").write_bytes((SOURCES / "notes.md").read_bytes())


def tables():
    """Commas, semicolons and tabs; quotes, line breaks and the sign between columns inside of cells."""
    rows = [["Name", "Town", "Remark", "Sum"], ["Müller, Jörg", "Köln", 'said "yes"', "1.204,50"], ["O'Neil", "Cork", "two\nlines", ""],
            ["Åberg", "Malmö", "a | b", "-3"]]
    for name, encoding, delimiter in [("members-comma.csv", "utf-8", ","), ("members-semicolon.csv", "cp1252", ";"), ("members.tsv", "utf-8", "\t")]:
        held = io.StringIO()
        csv.writer(held, delimiter=delimiter).writerows(rows)
        (OUT / name).write_bytes(held.getvalue().encode(encoding))
    with open(OUT / "gauge.csv", "w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["time", "level", "wind", "station"])
        for number in range(2500):
            lines.writerow([f"2026-02-{1 + number // 96:02d}T{number % 96 // 4:02d}:{number % 4 * 15:02d}", number % 400 / 100, number % 13, f"gauge {number}"])


def data():
    """JSON with nested values, and escapes in its strings."""
    held = {"harbour": "Nordhafen", "open": True, "berths": [{"number": 7, "depth": 4.25, "ship": "Aurora"}, {"number": 8, "depth": 3.5, "ship": None}],
            "greeting": "Grüße \"an\" alle", "signs": "<b>not bold</b> *not* | `code`"}
    (OUT / "harbour.json").write_text(json.dumps(held, indent=2, ensure_ascii=True), encoding="utf-8")
    (OUT / "one-line.json").write_text(json.dumps([{"entry": number, "text": paragraph(number, 1)} for number in range(200)]), encoding="utf-8")


def mail():
    """Plain, with an alternative in HTML, with attachments, with another mail inside, and in other encodings."""

    def message(subject, sender="Quinn Ödman <quinn@harbour.example>"):
        held = EmailMessage(policy=policy.SMTP)
        held["From"] = sender
        held["To"] = "office@harbour.example"
        held["Date"] = "Mon, 02 Mar 2026 09:00:00 +0100"
        held["Message-ID"] = f"<{len(subject)}@harbour.example>"
        held["Subject"] = subject
        return held

    plain = message("Berth number seven")
    plain.set_content("Dear office,\n\nis berth number seven free on Friday? The ship is called “Möwe”.\n\nYours, Quinn\n", cte="quoted-printable")
    (OUT / "plain.eml").write_bytes(plain.as_bytes())
    both = message("Prices – Preisliste für März")
    both.set_content("Our prices:\n\nAdult 4.00\nChild 0.00\n\nThese words stand in both forms.\n")
    both.add_alternative(
        "<html><head><style>p { color: navy }</style></head><body><p>Our prices:</p><table><tr><th>Ticket</th><th>Price</th></tr>"
        "<tr><td>Adult</td><td>4.00</td></tr><tr><td>Child</td><td>0.00</td></tr></table><p>These words stand in both forms.</p></body></html>",
        subtype="html",
    )
    (OUT / "alternative.eml").write_bytes(both.as_bytes())
    attached = message("Papers for the crane")
    attached.set_content("The papers are attached.\n")
    attached.add_attachment((OUT / "memo-python-docx.docx").read_bytes(), maintype="application",
                            subtype="vnd.openxmlformats-officedocument.wordprocessingml.document", filename="memo.docx")
    attached.add_attachment("height,42\n", subtype="csv", filename="crane.csv")
    (OUT / "attachments.eml").write_bytes(attached.as_bytes())
    outer = message("Fwd: Berth number seven")
    outer.set_content("Please answer this mail.\n")
    outer.add_attachment(plain)
    (OUT / "forwarded.eml").write_bytes(outer.as_bytes())
    latin = message("Grüße aus Malmö")
    latin.set_content("Smörgåsbord på bryggan, tack. " * 6 + "\n", charset="iso-8859-1", cte="quoted-printable")
    (OUT / "latin-1.eml").write_bytes(latin.as_bytes())
    only = message("お知らせ")
    only.set_content(f"<p>{LANGUAGES[6][2]}</p><script>var unseen = 'script text';</script>", subtype="html", charset="utf-8", cte="base64")
    (OUT / "only-html.eml").write_bytes(only.as_bytes())


def pages():
    """Web pages in three encodings."""
    (OUT / "harbour.html").write_bytes((SOURCES / "page.html").read_bytes())
    (OUT / "windows-1252.html").write_bytes(
        '<!doctype html><html><head><meta charset="windows-1252"><title>Fähre – Preise</title></head><body><h1>Fähre</h1>'
        "<p>Ein Erwachsener zahlt 4 €.</p></body></html>".encode("cp1252")
    )
    (OUT / "shift-jis.html").write_bytes(
        '<html><head><meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS"><title>お知らせ</title></head>'
        f"<body><h1>港</h1><p>{LANGUAGES[6][2]}</p></body></html>".encode("shift_jis")
    )


def unreadable():
    """Nothing, a picture, half of a document, and a document under a wrong name."""
    (OUT / "nothing.txt").write_bytes(b"")
    (OUT / "white-space.txt").write_bytes(b" \r\n\t\r\n \n")
    Image.new("RGB", (64, 64), "navy").save(OUT / "picture.png")
    whole = (OUT / "memo-python-docx.docx").read_bytes()
    (OUT / "half.docx").write_bytes(whole[: len(whole) // 2])
    (OUT / "docx-named-as.zip").write_bytes((OUT / "report-libreoffice.docx").read_bytes())
    (OUT / "pdf-named-as.txt").write_bytes((OUT / "invoice-reportlab.pdf").read_bytes())


OUT.mkdir(parents=True, exist_ok=True)
texts()
tables()
data()
mail()
pages()
unreadable()
