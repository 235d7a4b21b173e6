# SPDX-License-Identifier: BSD-3-Clause
"""Prices of options by simulated paths, updated in place."""

import numpy as np


def simulate(shocks, start, rate, volatility, years):
    """Last prices, means and greatest prices of paths; `shocks` are standard normal numbers, a row a step."""
    step = years / len(shocks)
    price = np.full_like(shocks[0], start)
    total = np.zeros_like(price)
    highest = price.copy()
    for shock in shocks:
        price *= np.exp((rate - volatility**2 / 2) * step + volatility * np.sqrt(step) * shock)
        total += price
        np.maximum(highest, price, out=highest)
    total /= len(shocks)
    return price, total, highest


def value(payoffs, rate, years):
    """Discounted mean and its standard error."""
    discounted = np.exp(-rate * years) * payoffs
    return discounted.mean(), discounted.std(ddof=1) / np.sqrt(discounted.size)


def call(prices, strike):
    return np.maximum(prices - strike, 0)


def barrier_call(prices, highest, strike, barrier):
    """A call that is void once the price has been above the barrier."""
    payoffs = call(prices, strike)
    payoffs[highest > barrier] = 0
    return payoffs


def quantiles(prices):
    return np.percentile(prices, [5, 25, 50, 75, 95])
