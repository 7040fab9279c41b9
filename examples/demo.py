"""The demonstration behind ``make demo``: index a folder, search it, draw the hits.

With ``--images`` and ``--query`` it uses your pictures.  Without, it takes the photographs that come inside the package
scikit-image, edits each of them in six ways (crop, flip, recompression, colour shift, rotation, border), and shows that
every edited copy leads back to its original.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import io
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

import imagekin

HERE = Path("demo")
PHOTOGRAPHS = (
    "astronaut.png brick.png camera.png cell.png chelsea.png clock_motion.png coffee.png coins.png grass.png "
    "gravel.png hubble_deep_field.jpg ihc.png moon.png motorcycle_left.png page.png retina.jpg rocket.jpg text.png"
).split()


def crop(image: Image.Image) -> Image.Image:
    """The upper left 70 % of each side."""
    return image.crop((0, 0, image.width * 7 // 10, image.height * 7 // 10))


def recompressed(image: Image.Image) -> Image.Image:
    """Half as large, through a JPEG of very low quality."""
    buffer = io.BytesIO()
    image.resize((image.width // 2, image.height // 2)).save(buffer, "JPEG", quality=12)
    return Image.open(buffer)


def shifted(image: Image.Image) -> Image.Image:
    """Warmer, paler and brighter."""
    red, green, blue = image.split()
    warm = Image.merge("RGB", (red.point(lambda v: min(255, v * 1.25)), green, blue.point(lambda v: v * 0.75)))
    return ImageEnhance.Brightness(ImageEnhance.Color(warm).enhance(0.7)).enhance(1.15)


def rotated(image: Image.Image) -> Image.Image:
    """By 8 degrees, as a scanner does it."""
    return image.rotate(8, Image.Resampling.BICUBIC, fillcolor=(255, 255, 255))


def bordered(image: Image.Image) -> Image.Image:
    """In a frame."""
    return ImageOps.expand(image, border=max(image.size) // 10, fill=(40, 40, 60))


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "crop": crop,
    "flip": ImageOps.mirror,
    "recompression": recompressed,
    "colour shift": shifted,
    "rotation": rotated,
    "border": bordered,
}


def imagekin_command(*arguments: object) -> None:
    """Show a command line of imagekin and run it; stop where it fails."""
    words = [str(argument) for argument in arguments]
    print(f"\n$ imagekin {shlex.join(words)}", flush=True)
    code = subprocess.run([sys.executable, "-m", "imagekin", *words], check=False).returncode
    if code:
        sys.exit(code)


def own_pictures(images: Path, query: str) -> None:
    """Index the user's folder and search it."""
    key = hashlib.sha256(str(images.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:8]
    collection, sheet = HERE / "collections" / f"{images.resolve().name}-{key}", HERE / "sheet.png"
    imagekin_command("-c", collection, "index", images)
    with imagekin.open(collection) as photos:
        first = next(photos.items(limit=1), None)
    if not query and first is None:
        sys.exit(f"There is no picture in {images}.")
    what = (query,) if query else ("--id", first.id if first else 0)
    imagekin_command("-c", collection, "search", *what, "--plot", sheet)
    print(f"\nThe hits side by side: {sheet}")


def photographs() -> tuple[Path, Path]:
    """Lay out the originals and their edited copies in two folders; what is there already stays."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        sys.exit('The demonstration needs the photographs of scikit-image; get them with: pip install "imagekin[demo]"')
    data = Path(spec.submodule_search_locations[0]) / "data"
    originals, edited = HERE / "photos" / "originals", HERE / "photos" / "edited"
    originals.mkdir(parents=True, exist_ok=True)
    edited.mkdir(parents=True, exist_ok=True)
    for source in (data / name for name in PHOTOGRAPHS if (data / name).is_file()):
        image = Image.open(source).convert("RGB")
        for path, edit in _copies(source, originals, edited):
            if not path.exists():
                edit(image).save(path, quality=90)
    return originals, edited


def _copies(source: Path, originals: Path, edited: Path) -> list[tuple[Path, Callable[[Image.Image], Image.Image]]]:
    name = source.stem.replace("_", "-")
    copies = [(edited / f"{name}_{kind.replace(' ', '-')}.jpg", edit) for kind, edit in EDITS.items()]
    return [(originals / f"{name}.jpg", lambda image: image), *copies]


def known_pictures() -> None:
    """Index the photographs and their edited copies; show one photograph's kin, and each edit's way back."""
    originals, edited = photographs()
    collection, sheet = HERE / "collections" / "photographs", HERE / "sheet.png"
    imagekin_command("-c", collection, "index", originals, edited)
    imagekin_command("-c", collection, "search", originals / "chelsea.jpg", "-k", 10, "--plot", sheet)
    print("\nEvery edited copy searched for among the originals:\n")
    print(f"{'edit':<15}{'original is hit 1':>18}{'worst rank':>12}{'similarity':>12}")
    with imagekin.open(collection) as photos:
        for kind in EDITS:
            copies = sorted(edited.glob(f"*_{kind.replace(' ', '-')}.jpg"))
            ranks, similarities = zip(*(found(photos, copy, originals) for copy in copies), strict=True)
            first = f"{ranks.count(1)} of {len(ranks)}"
            print(f"{kind:<15}{first:>18}{max(ranks):>12}{sum(similarities) / len(ranks):>12.0%}")
    print(f"\nThe hits side by side: {sheet}")


def found(photos: imagekin.Collection, copy: Path, originals: Path) -> tuple[int, float]:
    """The rank of an edited copy's original, and their similarity."""
    hits = photos.search(copy, k=len(PHOTOGRAPHS), under=originals)
    name = copy.name.partition("_")[0]
    return next((rank, hit.similarity) for rank, hit in enumerate(hits, 1) if Path(hit.path).stem == name)


def main() -> None:
    """Read the command line and run one of the two demonstrations."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", default="", help="a folder of your own pictures")
    parser.add_argument("--query", default="", help="the picture to search by; by default one of the folder")
    options = parser.parse_args()
    HERE.mkdir(exist_ok=True)
    if options.images:
        own_pictures(Path(options.images).expanduser(), options.query)
    elif options.query:
        originals, _ = photographs()
        own_pictures(originals.parent, options.query)
    else:
        known_pictures()


if __name__ == "__main__":
    main()
