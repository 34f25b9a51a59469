"""Writes modules.json beside it, with the packages sentence-transformers, torch and safetensors: `python make.py`.

The tiny BERT of `../bert_simcse_training.safetensors` under heads of all kinds: what sentence-transformers saves of each
head (the JSON files), and the vectors that it gives. The weights of heads follow a rule that the tests know: the value
`k` of the tensor `t` of a module is ((7·k + 3·t) mod 17 − 8) / 10.
"""

import json
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers import models as parts

HERE = Path(__file__).parent
TEXTS = ["the cat sat", "a", "dog the cat", "sat sat the dog a cat the"]
NAMES = ["linear.weight", "linear.bias", "residual.weight", "norm.weight", "norm.bias"]
WIDTH = 32


def fill(module):
    for name, parameter in module.named_parameters():
        k = torch.arange(parameter.numel())
        values = ((7 * k + 3 * NAMES.index(name)) % 17 - 8) / 10
        parameter.data = values.reshape(parameter.shape).float()
    return module


def bert(folder):
    folder.mkdir()
    weights = load_file(HERE / "../bert_simcse_training.safetensors")
    weights = {name.removeprefix("init."): tensor for name, tensor in weights.items() if name.startswith("init.")}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    shutil.copy(HERE / "../bert_simcse_training.config.json", folder / "config.json")
    shutil.copy(HERE / "../onnx/tokenizer.json", folder / "tokenizer.json")
    special = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]", "model_max_length": 32}
    (folder / "tokenizer_config.json").write_text(json.dumps(special))
    return parts.Transformer(str(folder))


def dense(inputs, outputs, activation=torch.nn.Tanh(), **settings):
    return fill(parts.Dense(inputs, outputs, activation_function=activation, **settings))


def heads():
    pooling = lambda mode: parts.Pooling(WIDTH, pooling_mode=mode)
    for mode in parts.Pooling.POOLING_MODES:
        yield mode, [pooling(mode)]
    yield "several", [pooling(("mean", "max", "cls"))]
    yield "cls and tanh", [pooling("cls"), dense(WIDTH, WIDTH)]
    yield "narrower", [pooling("mean"), dense(WIDTH, 8, torch.nn.Identity(), bias=False)]
    yield "two layers", [pooling("mean"), dense(WIDTH, 16, torch.nn.ReLU()), dense(16, 8, torch.nn.GELU())]
    yield "after a normalisation", [pooling("max"), parts.Normalize(), dense(WIDTH, 8), parts.Normalize()]
    yield "norm", [pooling("mean"), fill(parts.LayerNorm(WIDTH)), dense(WIDTH, 8, torch.nn.Sigmoid())]
    yield "residual", [pooling("mean"), dense(WIDTH, WIDTH, use_residual=True)]
    yield "projected residual", [pooling("mean"), dense(WIDTH, 8, torch.nn.SiLU(), use_residual=True)]


def activations():
    names = "Identity Tanh ReLU ReLU6 LeakyReLU ELU SELU GELU SiLU Mish Sigmoid LogSigmoid Softplus Softsign Hardtanh Tanhshrink"
    at = torch.tensor([-90.0, -3.0, -0.5, 0.0, 0.25, 2.0, 7.0, 90.0])
    return {"at": at.tolist(), "values": {name: getattr(torch.nn, name)()(at).tolist() for name in names.split()}}


def main():
    cases = []
    for name, modules in heads():
        with tempfile.TemporaryDirectory() as place:
            place = Path(place)
            model = SentenceTransformer(modules=[bert(place / "bert"), *modules], device="cpu").eval()
            vectors = model.encode(TEXTS, normalize_embeddings=True)
            model.save_pretrained(str(place / "saved"))
            files = {}
            for path in sorted((place / "saved").rglob("*.json")):
                path_in = str(path.relative_to(place / "saved"))
                if path_in == "modules.json" or path_in[0].isdigit():
                    files[path_in] = path.read_text()
            cases.append({"name": name, "files": files, "vectors": [[round(float(x), 7) for x in v] for v in vectors]})
    golden = {"texts": TEXTS, "cases": cases, "activations": activations()}
    (HERE / "modules.json").write_text(json.dumps(golden) + "\n")


main()
