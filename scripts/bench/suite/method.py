# SPDX-License-Identifier: BSD-3-Clause
"""How `make bench` measures, in sentences for its page."""
from bench.numbers import bootstrap

METHOD = [
    "Every way is a process of its own that lives for the whole run and sleeps while others have their turn.",
    "For each case and size all ways have a turn, in several rounds, in an order shuffled anew for every "
    "round; the samples of all rounds are put together. The floors take part in the rounds of add 64.",
    "A sample is the mean of a batch of calls. A batch is the smallest power of two for which the clock costs "
    "under 2 % of it, and at least 16 calls where one takes under a microsecond; longer calls are timed one by "
    "one. C and Python do the same. The clock's own time is subtracted. Percentiles are over samples. Where "
    "batches are longer than one call, calls are timed one by one too: the distributions show those, since a mean of "
    "a batch hides what is rare. The 99.9th percentile is told where there are at least 1000.",
    f"Intervals are by bootstrap, {bootstrap.LEVEL} %: {bootstrap.RESAMPLES} times, with the seed {bootstrap.SEED}, as "
    "many rounds as there were are drawn with replacement and then samples within each of them, since samples of one "
    "turn are not independent; the interval holds the middle of the medians found. For a ratio within a run both ways "
    "get the same rounds. Of three rounds it cannot tell what a fourth would have been: such intervals are rather too "
    "narrow; where there is one round only, it tells of nothing but that round.",
    "An eighth of a turn's time goes to warming up, with PyPy at least 0.3 s. Python's garbage collector is off while "
    "timing, for all.",
    "Before timing, the output is filled with NaN; after it, the output is compared with NumPy's answer: "
    "exactly for add, to 1e-10 for the others. A wrong answer fails the run.",
    "Processor time is that of the client's process and, for the other side, of the daemon with all its "
    "workers or of the partner process, over all calls of a turn.",
    "Before each measurement the harness waits a moment, with a limit, until nothing else runs on the machine.",
    "NumPy and its BLAS run with their default threads, also on the other side of the pipes. expr in NumPy is the "
    "formula as one writes it; numpy-out is the same with every step writing into an array that is there already. "
    "numd's ad hoc expr is five operations one after the other.",
    "The transposed factor of a Gram matrix is an array of its own, so that every way computes the same general "
    "product.",
    "In process, large arrays are in huge pages where the kernel gives them, as NumPy's are by itself; shared memory "
    "gets what the kernel's setting for it says.",
    "In results.json `wait` names a gear that was fixed for the measurement; rows of numd-ring without one are those "
    "of the adaptive policy that programs get.",
    "Ways that are not measured by `make bench` have at most three rounds, from 10^6 elements on one, and no real "
    "data; what copies arrays by value through something slow ends at 10^5 or 10^6 elements, plain Python loops at "
    "10^5. Each has one partner process, which computes with NumPy, or in process what its file in scripts/bench/ways "
    "says.",
    "Redis, PostgreSQL and RabbitMQ are private servers of the run, started before it, on Unix sockets or loopback; "
    "their processor time counts as the other side's.",
    "A partner or server that ends in the middle of a call is noticed by its pid; its way is reported, and not "
    "waited for.",
    "Fixed gears of waiting are measured up to 10^5 elements and products of 256 by 256; longer calls hide them.",
]

PINNING = {
    "none": "Nothing is pinned but the floors, since programs are not either; the kernel places processes, and numd "
            "its workers.",
    "apart": "Clients are pinned to the first usable core and what computes for them to the last; numd places its "
             "workers itself.",
    "together": "Clients and what computes for them are all pinned to the first usable core; numd places its workers "
                "itself.",
}
FLOORS_PINNED = " The floors' two processes sit on the first and the last core, or both on the first."


def sentences(pinning):
    """pinning: a key of PINNING."""
    return METHOD + [PINNING[pinning] + FLOORS_PINNED]
