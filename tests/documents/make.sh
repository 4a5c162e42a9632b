#!/bin/sh
# Makes the documents of the corpus again, and what is expected of them.
#
#   tests/documents/make.sh [FOLDER]      the documents go to FOLDER; to files/ beside this script where none is named
#
# The files differ in a few bytes from one time to the next, because the programs write dates into them. On Debian 12:
#
#   apt-get install --no-install-recommends libreoffice-writer libreoffice-calc libreoffice-impress libreoffice-math \
#     python3-uno hyphen-en-us chromium pandoc texlive-latex-base texlive-latex-recommended texlive-latex-extra texlive-xetex \
#     texlive-luatex texlive-fonts-recommended lmodern ghostscript qpdf poppler-utils fonts-noto-core fonts-noto-cjk \
#     fonts-dejavu-core fonts-liberation python3-venv
set -eu
CDPATH='' cd -- "$(dirname -- "$0")"
out=${1:-files}
mkdir -p "$out"
out=$(cd "$out" && pwd)
sources=$PWD/sources
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
export HOME="$build/home" PYTHONDONTWRITEBYTECODE=1
mkdir -p "$HOME"

missing=
for program in soffice chromium pandoc pdflatex xelatex lualatex gs qpdf pdftoppm pdfunite; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
/usr/bin/python3 -c 'import uno' 2>/dev/null || missing="$missing python3-uno"
[ -z "$missing" ] || { echo "make.sh: missing:$missing; see the top of this script" >&2; exit 1; }
venv=${DOCUMENTS_VENV:-$build/venv}
[ -x "$venv/bin/python" ] || { python3 -m venv "$venv" && "$venv/bin/pip" -q install -r sources/requirements.txt; }
python=$venv/bin/python

echo 'python-docx, openpyxl, XlsxWriter, python-pptx, EbookLib'
"$python" sources/office.py "$build" "$out"
echo LibreOffice
"$python" sources/flat_odf.py "$build"
/usr/bin/python3 sources/libreoffice.py "$build" "$out"
echo 'reportlab, Pillow'
"$python" sources/pdf.py "$build" "$out"

echo Chromium
"$python" sources/languages_html.py >"$build/languages.html"
print() {
    chromium --headless --no-sandbox --disable-gpu --user-data-dir="$build/chromium" --no-pdf-header-footer \
        --virtual-time-budget=2000 --print-to-pdf="$2" "file://$1" 2>/dev/null
}
cp sources/page.html "$build/page.html"
print "$build/page.html" "$out/page-chromium.pdf"
print "$build/languages.html" "$out/languages-chromium.pdf"

echo TeX
"$python" sources/long_tex.py >"$build/long.tex"
"$python" sources/languages_tex.py >"$build/languages.tex"
tex() { # PROGRAM SOURCE FILE
    (cd "$build" && for _ in 1 2; do "$1" -interaction=batchmode -halt-on-error -jobname=made "$2" >/dev/null; done)
    mv "$build/made.pdf" "$out/$3"
    rm -f "$build"/made.*
}
tex pdflatex "$sources/paper.tex" paper-pdflatex.pdf
# The oldest fonts of TeX, whose accents are signs of their own; and fonts that are pictures of letters.
tex pdflatex "\\def\\fonts{}\\input{$sources/paper}" paper-ot1-pdflatex.pdf
tex pdflatex "\\def\\fonts{\\usepackage[T1]{fontenc}}\\input{$sources/paper}" paper-type3-pdflatex.pdf
tex lualatex "$build/long.tex" long-lualatex.pdf
tex xelatex "$build/languages.tex" languages-xelatex.pdf

echo pandoc
for form in docx odt epub pptx; do
    source=paper
    [ "$form" = pptx ] && source=slides
    pandoc -s "$sources/$source.md" -o "$out/$source-pandoc.$form"
done
pandoc -s --mathml "$sources/paper.md" -o "$out/paper-pandoc.html"
(cd "$build" && pandoc -s --pdf-engine=xelatex "$sources/paper.md" -o "$out/paper-pandoc.pdf")

echo 'qpdf, Ghostscript'
report=$out/report-libreoffice.pdf
qpdf --encrypt harbour owner 256 -- "$report" "$out/user-password-qpdf.pdf"
qpdf --encrypt '' owner 256 --print=none --extract=n -- "$report" "$out/owner-password-qpdf.pdf"
qpdf --allow-weak-crypto --encrypt '' owner 40 -- "$report" "$out/owner-password-rc4-qpdf.pdf"
qpdf --linearize "$report" "$out/linearized-qpdf.pdf"
qpdf --object-streams=generate --recompress-flate --compression-level=9 "$out/paper-pdflatex.pdf" "$out/object-streams-qpdf.pdf"
qpdf --qdf --object-streams=disable "$out/invoice-reportlab.pdf" "$out/uncompressed-qpdf.pdf"
qpdf --empty --pages "$build/mixed-1.pdf" "$build/scan-1.pdf" "$build/mixed-3.pdf" "$build/scan-2.pdf" "$build/mixed-5.pdf" -- \
    "$out/mixed-qpdf.pdf"
gs -q -dNOPAUSE -dBATCH -sDEVICE=pdfwrite -dPDFSETTINGS=/ebook -sOutputFile="$out/report-ghostscript.pdf" "$report"
gs -q -dNOPAUSE -dBATCH -sDEVICE=pdfwrite -dCompatibilityLevel=1.3 -dASCII85EncodePages=true \
    -sOutputFile="$out/paper-1.3-ghostscript.pdf" "$out/paper-pdflatex.pdf"

echo 'Mail, text, and files that cannot be read'
"$python" sources/plain.py "$out"
"$python" sources/repack.py "$out"
for form in docx xlsx pptx; do
    case $form in docx) name=memo-python-docx ;; xlsx) name=stores-openpyxl ;; *) name=storm-python-pptx ;; esac
    "$venv/bin/msoffcrypto-tool" -e -p harbour "$out/$name.$form" "$out/secret-msoffcrypto.$form"
done

"$python" sources/expected.py "$out" expected.json
du -sh "$out"
