"""
The colours of one photograph in another
========================================

A picture is a cloud of colours. The plan between the clouds of two pictures is found on a thousand
pixels of each; the map that comes with it is continuous, so it moves all the others. Needs Pillow,
with which scikit-learn reads its two photographs.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from skrand import SinkhornNewtonOT

china, flower = (load_sample_image(name)[::2, ::2] / 255 for name in ("china.jpg", "flower.jpg"))
rng = np.random.default_rng(0)
X, Y = (
    image.reshape(-1, 3)[rng.choice(image.shape[0] * image.shape[1], 1000, replace=False)]
    for image in (china, flower)
)

# %%
# A larger regularisation pulls colours together; a small one follows the samples' accidents.

regs = (0.1, 0.005)
moved = []
for reg in regs:
    model = SinkhornNewtonOT(reg, target=Y, cost_scale="max", tol=1e-6).fit(X)
    moved.append(np.clip(model.transform(china.reshape(-1, 3)).reshape(china.shape), 0, 1))

figure, axes = plt.subplots(2, 2, figsize=(9, 6.2), layout="constrained")
titles = ["picture", "colours", *(f"transferred, reg = {reg}" for reg in regs)]
for ax, image, title in zip(axes.flat, [china, flower, *moved], titles, strict=True):
    ax.imshow(image)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
