"""Prints article 1 in TeX for xelatex, in the languages that are written from left to right."""

from texts import LANGUAGES

FONTS = {"zh": "Noto Sans CJK SC", "ja": "Noto Sans CJK JP", "ko": "Noto Sans CJK KR", "hi": "Noto Sans Devanagari", "th": "Noto Sans Thai"}

print(r"\documentclass{article}\usepackage{fontspec}\setmainfont{DejaVu Serif}")
print(r"\usepackage[pdftitle={Article 1},pdfauthor={Office of languages}]{hyperref}\XeTeXlinebreakskip=0pt plus 1pt")
for code, font in FONTS.items():
    script = {"hi": "[Script=Devanagari]", "th": "[Script=Thai]"}.get(code, "")
    print(rf"\newfontfamily\font{code}{{{font}}}{script}")
print(r"\begin{document}\section*{Article 1}")
for name, code, text, _ in LANGUAGES:
    if code in ("ar", "he"):
        continue
    font = rf"\font{code}\XeTeXlinebreaklocale ''{code}'' ".replace("''", '"') if code in FONTS else ""
    print(rf"\subsection*{{{name}}}" + "\n{" + font + text + r"\par}" + "\n")
print(r"\end{document}")
