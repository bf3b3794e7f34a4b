"""
Denoising spectra without a clean one to learn from
===================================================

Simulated spectra of galaxies: a sloping continuum, and lines that move together with the
redshift, which no linear method can follow with few components. Both
:class:`~sklearn.decomposition.PCA` and the autoencoder, made a denoising one by
:class:`~skrepr.augmentations.GaussianNoise`, are fitted to noisy spectra alone and then rebuild
unseen ones, at the same width; the clean spectra only judge.
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA

from skrepr import AutoencoderEmbedding
from skrepr.augmentations import GaussianNoise
from skrepr.displays import ReconstructionDisplay

WAVELENGTH = np.linspace(4000, 7000, 256)  # Angstrom
LINES = {3934: -0.6, 3969: -0.6, 4341: 0.5, 4861: 1.0, 4959: 0.5, 5007: 1.5, 6563: 2.5}
N_COMPONENTS = 4
NOISE = 0.35


def make_spectra(n, rng):
    """Simulate ``n`` clean spectra: (n, 256), flux in arbitrary units."""
    redshift = rng.uniform(0, 0.06, size=(n, 1))
    slope = rng.normal(scale=0.5, size=(n, 1))
    emission = rng.lognormal(sigma=0.4, size=(n, 1))
    flux = 1 + slope * (WAVELENGTH - 5500) / 3000
    for line, strength in LINES.items():
        offset = (WAVELENGTH - line * (1 + redshift)) / 18
        flux = flux + (emission if strength > 0 else 1) * strength * np.exp(-(offset**2) / 2)
    return flux.astype(np.float32)


def main(path):
    """Fit, print the errors, draw; return the errors."""
    rng = np.random.default_rng(0)
    clean = make_spectra(4000, rng)
    noisy = clean + rng.normal(scale=NOISE, size=clean.shape).astype(np.float32)
    train, test = slice(3000), slice(3000, None)

    embedding = AutoencoderEmbedding(
        N_COMPONENTS, corruption=GaussianNoise(0.5), random_state=0
    ).fit(noisy[train])
    pca = PCA(N_COMPONENTS).fit(noisy[train])
    results = {
        "noisy": noisy[test],
        "PCA": pca.inverse_transform(pca.transform(noisy[test])),
        "autoencoder": embedding.reconstruct(noisy[test]),
    }
    errors = {
        name: float(np.sqrt(np.mean((flux - clean[test]) ** 2))) for name, flux in results.items()
    }
    print("root mean square error to the clean spectrum")
    for name, error in errors.items():
        print(f"  {name:12s} {error:.3f}")

    figure, axes = plt.subplots(1, 2, figsize=(13, 5.5), layout="constrained")
    for ax, name in zip(axes, ("PCA", "autoencoder"), strict=True):
        # above the clean spectra, which neither method has seen: what is left is its error
        display = ReconstructionDisplay(clean[test][:3], results[name][:3], x=WAVELENGTH).plot(ax)
        for panel, flux in zip(display.axes_[0], results["noisy"], strict=False):
            panel.plot(WAVELENGTH, flux, color="#bbbbbb", lw=0.8, zorder=0)
        for panel in display.axes_.flat:
            panel.set_ylim(-1.2, 3.6)
        for panel, title in zip(display.axes_[:, 0], ("flux", "rebuilt", "error"), strict=True):
            panel.set_ylabel(title)
        for panel in display.axes_[2]:
            panel.set_xlabel("wavelength (Å)")
        ax.set_title(f"{name}: error {errors[name]:.3f} on all unseen spectra", pad=36)
    figure.suptitle("Unseen spectra, noisy (gray) and without noise, above what is rebuilt")
    figure.savefig(path, dpi=90)
    return errors


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_suffix(".png"))
