"""Rename this template: ``python rename.py skrand-mine``. Removes itself at the end."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent

if len(sys.argv) != 2 or not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", sys.argv[1]):
    sys.exit("usage: python rename.py NAME, in lower case with hyphens: skrand-mine")
dist = sys.argv[1]
module = dist.replace("-", "_")
for path in sorted(ROOT.rglob("*")):
    if path.suffix in (".py", ".toml", ".md") and path != Path(__file__).resolve():
        text = path.read_text(encoding="utf-8")
        text = text.replace("skrand_template", module).replace("skrand-template", dist)
        text = text.replace('template = "', f'{dist.removeprefix("skrand-")} = "')
        path.write_text(text, encoding="utf-8")
(ROOT / "src" / "skrand_template").rename(ROOT / "src" / module)
(ROOT / "tests" / "test_template.py").rename(ROOT / "tests" / f"test_{module}.py")
Path(__file__).unlink()
print(f"{dist} it is: now `pip install -e .` and `skrand list`")
