"""Writes classes.json beside it, with the packages numpy, scipy and scikit-learn: `python make.py`.

Made-up vectors of classes that overlap, and what scikit-learn reads off them: logistic regression (C 10, its solution
to the last digits, its accuracy and macro F1 at the usual tolerance), the inertia of k-means, macro F1 and V-measure of
given lists, and the steps of SciPy's line search on functions of one number. `unit_train` are the training vectors
scaled to length one, in f32, as they are fitted on.
"""

import json
from pathlib import Path

import numpy as np
from scipy.optimize._dcsrch import DCSRCH
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, v_measure_score

random = np.random.default_rng(25)


def unit(x):
    x = x.astype(np.float32).astype(np.float64)
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32).astype(np.float64)


def draw(centres, shares, count, noise):
    labels = random.choice(len(centres), count, p=shares)
    return np.round(centres[labels] + noise * random.standard_normal((count, centres.shape[1])), 3), labels


def fitted(shares, width, noise, training, test):
    centres = random.standard_normal((len(shares), width))
    (train, train_labels), (test, test_labels) = (draw(centres, shares, count, noise) for count in (training, test))
    usual = LogisticRegression(C=10, max_iter=300).fit(unit(train), train_labels)
    exact = LogisticRegression(C=10, max_iter=100_000, tol=1e-11).fit(unit(train), train_labels)
    found = usual.predict(unit(test))
    clusters = KMeans(len(shares), n_init=50, random_state=0, tol=0).fit(unit(train))
    # Of several classes, a constant may be added to all intercepts; zero starts keep their mean at zero.
    assert len(shares) == 2 or abs(exact.intercept_.mean()) < 1e-6
    return {
        "train": train.tolist(), "train_labels": train_labels.tolist(),
        "test": test.tolist(), "test_labels": test_labels.tolist(), "unit_train": unit(train).tolist(),
        "coefficients": exact.coef_.tolist(), "intercepts": exact.intercept_.tolist(),
        "accuracy": 100 * accuracy_score(test_labels, found),
        "macro_f1": 100 * f1_score(test_labels, found, average="macro"), "inertia": clusters.inertia_,
    }


FUNCTIONS = [
    (lambda x: (x - 3) ** 2, lambda x: 2 * (x - 3)),
    (lambda x: -x / (x * x + 2), lambda x: (x * x - 2) / (x * x + 2) ** 2),
    (lambda x: (x + 0.004) ** 5 - 2 * (x + 0.004) ** 4, lambda x: 5 * (x + 0.004) ** 4 - 8 * (x + 0.004) ** 3),
    (lambda x: np.log1p(np.exp(4 * (x - 2))) - x, lambda x: 4 / (1 + np.exp(-4 * (x - 2))) - 1),
]


def line_search(function, first):
    value, slope = FUNCTIONS[function]
    steps = []
    tried = lambda x: (steps.append(x), value(x))[1]
    search = DCSRCH(tried, slope, 1e-3, 0.9, 0.1, 0.0, 1e10)
    found = search(first, value(0.0), slope(0.0))[0] is not None
    return {"function": function, "first": first, "steps": list(map(float, steps)), "found": found}


def macro_f1(wanted, found):
    score = f1_score(wanted, found, average="macro", zero_division=0)
    return {"wanted": wanted, "found": found, "accuracy": accuracy_score(wanted, found), "macro_f1": score}


def v_measure(labels, clusters):
    labels, clusters = [list(map(int, values)) for values in (labels, clusters)]
    return {"labels": labels, "clusters": clusters, "v_measure": v_measure_score(labels, clusters)}


golden = {
    "five": fitted([0.35, 0.25, 0.2, 0.15, 0.05], 8, 0.9, 150, 120),
    "two": fitted([0.7, 0.3], 6, 1.8, 80, 120),
    "macro_f1": [
        macro_f1(list("aabbc"), list("aabbc")),
        macro_f1(list("aabbcd"), list("abbbca")),
        macro_f1(list("aabb"), list("ccaa")),
        macro_f1(list("zzyyxx"), list("zyyxzz")),
    ],
    "v_measure": [
        v_measure([0, 0, 1, 1], [1, 1, 0, 0]),
        v_measure([0, 0, 1, 1], [0, 0, 0, 0]),
        v_measure([0, 0, 1, 1], [0, 1, 2, 3]),
        v_measure([0, 0, 1, 1], [0, 1, 0, 1]),
        v_measure([0, 0, 0], [0, 0, 0]),
        v_measure(random.integers(0, 6, 200), random.integers(0, 9, 200)),
        v_measure(np.arange(120) % 7, (np.arange(120) * 5 % 11 + np.arange(120) % 7) // 3),
    ],
    "line_search": [
        line_search(function, first)
        for function in range(len(FUNCTIONS)) for first in (1e-3, 0.1, 1.0, 10.0, 1000.0)
    ],
}
Path(__file__).with_name("classes.json").write_text(json.dumps(golden) + "\n")
