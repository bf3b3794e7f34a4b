"""Stars that pulsate: their periods, and the Fourier series of their light."""

import numpy as np
from scipy.special import ndtri

from ._light_surveys import START

N_HARMONICS = 8
# Amplitude of pulsation by wavelength (Angstrom), relative to r: after Sesar et al. (2010).
IN_BANDS = (3670, 4830, 6220, 7550, 8690, 9710), (1.3, 1.4, 1.0, 0.8, 0.75, 0.73)


def draw_rr_lyrae_ab(u, known):
    """Draw periods, and the amplitudes that go with them in the diagram of Bailey."""
    period = 0.56 * 10 ** (0.045 * ndtri(u["period"]))
    # Cacciari, Corwin and Carney (2005), in V; a fourth is of the second type of Oosterhoff
    log_period = np.log10(period) - 0.06 * (u["companion"] < 0.25)
    in_v = -2.627 - 22.046 * log_period - 30.876 * log_period**2
    amplitude = np.clip(0.82 * in_v + 0.06 * ndtri(u["amplitude"]), 0.2, 1.2)
    return _pulsator(u, period, amplitude, 6100 + 900 * u["temperature"])


def draw_rr_lyrae_c(u, known):
    """Draw periods of the first overtone, with smaller amplitudes."""
    period = 0.325 * 10 ** (0.04 * ndtri(u["period"]))
    return _pulsator(u, period, 0.28 + 0.2 * u["amplitude"], 6800 + 600 * u["temperature"])


def draw_cepheids(u, known):
    """Draw classical Cepheids of the fundamental mode, short periods more often."""
    period = 2.5 * 16 ** (u["period"] ** 1.6)
    amplitude = 0.35 + 0.3 * u["amplitude"] + 0.25 * np.log10(period / 2.5)
    return _pulsator(u, period, amplitude, 6300 - 900 * np.log10(period / 2.5))


def draw_miras(u, known):
    """Draw long-period variables of large amplitude."""
    period = 280 * 10 ** (0.13 * ndtri(u["period"]))
    return _pulsator(u, period, 2.5 + 2.5 * u["amplitude"], 2600 + 500 * u["temperature"])


def _pulsator(u, period, amplitude, temperature):
    return {
        "period": period,
        "epoch": START + u["epoch"] * period,
        "amplitude": amplitude,
        "shape": 1 + 0.04 * ndtri(u["shape"]),
        "temperature": temperature,
    }


def rr_lyrae_ab(latents, row, time, wavelength, generator):
    """Return the change in magnitude: a steep rise, a slow decline."""
    # Typical parameters in the cosine convention: Simon and Teays (1982), Deb and Singh (2009).
    order = np.arange(2, N_HARMONICS + 1)
    ratios = np.array([0.48, 0.35, 0.24, 0.16, 0.11, 0.075, 0.05])
    ratios = ratios * latents["shape"][:, None] ** (order - 1)
    return _pulsation(ratios, 3.92 + 4.22 * (order - 2), latents, row, time, wavelength)


def rr_lyrae_c(latents, row, time, wavelength, generator):
    """Return the change in magnitude: almost a sine."""
    ratios = np.array([0.17, 0.07, 0.04]) * latents["shape"][:, None] ** np.arange(1, 4)
    return _pulsation(ratios, np.array([4.7, 3.9, 2.6]), latents, row, time, wavelength)


def cepheid(latents, row, time, wavelength, generator):
    """Return the change in magnitude, with the progression of Hertzsprung.

    Towards periods of 10 days harmonics fade and their phases grow, and these jump there: the
    steep rise of short periods becomes round, and steep again beyond.
    """
    # after figures of Simon and Lee (1981), by hand
    log_period = np.log10(latents["period"])[:, None]
    order = np.arange(2, 7)
    resonance = np.exp(-(((log_period - 1) / 0.12) ** 2))
    ratios = (0.43 * latents["shape"][:, None]) ** (order - 1) * (1 - 0.6 * resonance)
    below, beyond = (log_period - 0.4) / 0.6, (log_period - 1) / 0.6
    second = np.where(below < 1, 4.0 + 1.4 * below**2, 4.4 + 0.5 * beyond)
    step = np.where(below < 1, 4.25 + 0.7 * below**2, 4.5)
    return _pulsation(ratios, second + step * (order - 2), latents, row, time, wavelength)


def mira(latents, row, time, wavelength, generator):
    """Return the change in magnitude: rises faster than it falls, no maximum like the last one."""
    ratios = np.array([0.14, 0.04]) * latents["shape"][:, None] ** np.arange(1, 3)
    change = _pulsation(ratios, np.array([3.9, 8.0]), latents, row, time, wavelength)
    # two slow waves; where they begin is as random as where the pulsation does
    begin = ((latents["epoch"] - START) / latents["period"])[row]
    cycle = (time - START) / latents["period"][row]
    waves = np.sin(2 * np.pi * (0.29 * cycle + 5 * begin))
    waves += np.sin(2 * np.pi * (0.17 * cycle + 3 * begin))
    return change * (1 + 0.1 * waves)


def _pulsation(ratios, phases, latents, row, time, wavelength):
    """Return a Fourier series whose amplitude and epoch of maximum light are the latents'.

    Ratios R_k1 and phases phi_k1 = phi_k - k phi_1 are those of magnitudes as a series of
    cosines, k = 2, 3, ..., shape (n_objects or 1, K - 1).
    """
    phases = np.broadcast_to(phases, ratios.shape)
    first = np.ones((len(ratios), 1))
    terms = np.hstack([0 * first, first, ratios * np.exp(1j * phases)])  # (n, K + 1)
    grid = 1024
    cycle = np.fft.irfft(terms, grid, axis=1)  # magnitudes, 2 / grid times the series
    span = (cycle.max(axis=1) - cycle.min(axis=1)) * grid / 2
    terms = terms * (latents["amplitude"] / span)[:, None]
    shift = cycle.argmin(axis=1) / grid
    phase = (time - latents["epoch"][row]) / latents["period"][row] + shift[row]
    turn = np.exp(2j * np.pi * phase)
    total = np.zeros(len(time), dtype=complex)
    for term in terms.T[::-1]:  # the scheme of Horner
        total = total * turn + term[row]
    return total.real * np.interp(wavelength, *IN_BANDS)
