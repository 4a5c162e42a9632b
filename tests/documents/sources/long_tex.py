"""Prints a book in TeX of a title and sixty pages, with running heads and page numbers."""

from texts import paragraph

print(r"\documentclass[11pt,a5paper,oneside,openany]{book}\usepackage[margin=1.6cm]{geometry}\usepackage{fontspec}\usepackage{hyperref}")
print(r"\hypersetup{pdftitle={The day book of the lighthouse},pdfauthor={Vera Moss}}")
print(r"\begin{document}\frontmatter\title{The day book of the lighthouse}\author{Vera Moss}\date{}\maketitle\mainmatter")
for chapter in range(1, 13):
    print(rf"\chapter{{Month {chapter} at the light}}")
    for section in range(1, 6):
        print(rf"\section{{Week {section} of month {chapter}}}")
        for each in range(3):
            print(paragraph(1000 + chapter * 100 + section * 10 + each, 3) + "\n")
        print(r"\clearpage")
print(r"\end{document}")
