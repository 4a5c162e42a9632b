"""Prints a web page of article 1 in many languages."""

from texts import LANGUAGES

print('<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Article 1</title></head><body><h1>Article 1</h1>')
for name, code, text, _ in LANGUAGES:
    turned = ' dir="rtl"' if code in ("ar", "he") else ""
    print(f'<h2>{name}</h2><p lang="{code}"{turned}>{text}</p>')
print("</body></html>")
