"""
Filling in a photograph
=======================

Half of the pixels of a photograph are lost. A matrix of low rank through the others fills them in;
the penalty is chosen on pixels that are held out. The picture of a flower has more structure than a
low rank can say: means of neighbours, which know that pixels near each other are alike, would do
well, too. What low rank knows is that rows are alike, wherever they are.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.impute import SimpleImputer

from skrand import LowRankCompleter

try:
    photograph = load_sample_image("china.jpg")
except ImportError:
    raise SystemExit(
        "scikit-learn reads its sample images with Pillow: pip install pillow"
    ) from None
image = photograph[::2, ::2].mean(axis=2) / 255.0
seen = np.random.default_rng(0).uniform(size=image.shape) < 0.5
holes = np.where(seen, image, np.nan)

model = LowRankCompleter(40, alpha="auto", tol=1e-3, min_value=0.0, max_value=1.0, random_state=0)
filled = model.fit_transform(holes)
means = SimpleImputer().fit_transform(holes)


def error(answer):
    """Root mean squared error on the lost pixels."""
    return np.sqrt(np.mean((answer - image)[~seen] ** 2))


print(f"rank {model.rank_}, penalty {model.alpha_:.2f}: error {error(filled):.3f}")
print(f"column means: error {error(means):.3f}")

figure, axes = plt.subplots(1, 3, figsize=(11, 3), layout="constrained")
pictures = {
    "half of the pixels": holes,
    f"column means, error {error(means):.3f}": means,
    f"rank {model.rank_}, error {error(filled):.3f}": filled,
}
for axis, (title, picture) in zip(axes, pictures.items(), strict=True):
    axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axis.set(title=title, xticks=[], yticks=[])
plt.show()
