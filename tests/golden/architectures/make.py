"""Writes the tiny random models beside it and their outputs: `python make.py` with the packages torch and transformers.

Each folder is as transformers saves it. `states.safetensors` holds texts of different lengths as token ids
(`{text}.ids`) and the last hidden state of each (`{text}.states`, computed in f64). `roberta_step.safetensors` is one
step of supervised SimCSE from `roberta/`: texts, loss, gradients, and the change that AdamW makes. `buckets` in
`mpnet/states.safetensors` are MPNet's buckets of the distances -200 to 200.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (
    BertConfig, BertForSequenceClassification, CamembertConfig, CamembertForTokenClassification, DistilBertConfig,
    DistilBertForSequenceClassification, MPNetConfig, MPNetModel, RobertaConfig, RobertaForSequenceClassification,
    RobertaModel, XLMRobertaConfig, XLMRobertaModel,
)
from transformers.models.mpnet.modeling_mpnet import MPNetEncoder

HERE = Path(__file__).parent
WIDTH, LAYERS, HEADS, INNER, VOCABULARY = 32, 2, 4, 64, 100
USUAL = {
    "vocab_size": VOCABULARY, "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
    "intermediate_size": INNER, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": 2,
}
PADDED = USUAL | {
    "max_position_embeddings": 42, "type_vocab_size": 1, "layer_norm_eps": 1e-5, "pad_token_id": 1, "bos_token_id": 0,
    "eos_token_id": 2,
}
DISTIL = {
    "vocab_size": VOCABULARY, "dim": WIDTH, "n_layers": LAYERS, "n_heads": HEADS, "hidden_dim": INNER, "dropout": 0.0,
    "attention_dropout": 0.0, "max_position_embeddings": 40, "num_labels": 2,
}
MODELS = {
    "bert": (BertForSequenceClassification, BertConfig(**USUAL, max_position_embeddings=40, hidden_act="gelu_new")),
    "distilbert": (DistilBertForSequenceClassification, DistilBertConfig(**DISTIL)),
    "roberta": (RobertaForSequenceClassification, RobertaConfig(**PADDED)),
    "xlm-roberta": (XLMRobertaModel, XLMRobertaConfig(**PADDED)),
    "camembert": (CamembertForTokenClassification, CamembertConfig(**PADDED, hidden_act="relu")),
    "mpnet": (MPNetModel, MPNetConfig(**PADDED)),
}
# The last one has the padding of RoBERTa among its own tokens.
LENGTHS = [1, 5, 23, 40, 12]


def randomise(model):
    for name, parameter in model.named_parameters():
        centre = 1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0
        torch.nn.init.normal_(parameter, centre, 0.3)


def texts():
    rows = [torch.randint(5, VOCABULARY, (length,)) for length in LENGTHS]
    rows[-1][4] = 1
    return rows


def states(model, row):
    """The state of a text in a padded batch, which is the one that it has alone."""
    longest, padding = max(LENGTHS), model.config.pad_token_id
    with torch.no_grad():
        alone = model(input_ids=row[None]).last_hidden_state[0]
        ids = torch.full((1, longest), padding)
        ids[0, : len(row)] = row
        mask = (torch.arange(longest) < len(row)).long()[None]
        padded = model(input_ids=ids, attention_mask=mask).last_hidden_state[0, : len(row)]
    assert torch.allclose(alone, padded, atol=1e-9)
    return alone.float()


def step():
    model = RobertaModel.from_pretrained(HERE / "roberta", add_pooling_layer=False, dtype=torch.float64)
    model.train()
    decays = lambda name: not name.endswith("bias") and "LayerNorm" not in name
    named = list(model.named_parameters())
    groups = [[p for n, p in named if decays(n)], [p for n, p in named if not decays(n)]]
    optimiser = torch.optim.AdamW(
        [{"params": groups[0], "weight_decay": 0.01}, {"params": groups[1], "weight_decay": 0.0}], lr=1e-3
    )
    before = {name: parameter.detach().clone() for name, parameter in named}
    saved, views = {}, []
    for view in ["anchor", "positive", "hard_negative"]:
        ids = torch.ones((6, 9), dtype=torch.long)
        for row in range(6):
            length = 3 + (row * 5 + len(view)) % 7
            ids[row, :length] = torch.randint(5, VOCABULARY, (length,))
        saved[f"{view}.ids"] = ids
        mask = (ids != 1).double()
        state = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        views.append((state * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
    unit = [torch.nn.functional.normalize(view) for view in views]
    scores = torch.cat([unit[0] @ unit[1].T, unit[0] @ unit[2].T], 1) / 0.05
    loss = torch.nn.functional.cross_entropy(scores, torch.arange(6))
    loss.backward()
    saved["loss"] = loss.detach()[None]
    for name, parameter in named:
        saved[f"gradient.{name}"] = parameter.grad.float()
    torch.nn.utils.clip_grad_norm_([p for _, p in named], 1.0)
    optimiser.step()
    for name, parameter in named:
        saved[f"change.{name}"] = (parameter.detach() - before[name]).float()
    save_file(saved, HERE / "roberta_step.safetensors")


torch.manual_seed(24)
for name, (kind, config) in MODELS.items():
    model = kind(config).eval()
    randomise(model)
    folder = HERE / name
    model.save_pretrained(folder, max_shard_size="40KB" if name == "xlm-roberta" else "1MB")
    saved = {}
    base = model.base_model.double().eval()
    for number, row in enumerate(texts()):
        saved[f"{number}.ids"], saved[f"{number}.states"] = row, states(base, row)
    if name == "mpnet":
        saved["buckets"] = MPNetEncoder.relative_position_bucket(torch.arange(-200, 201), num_buckets=32)
    save_file(saved, folder / "states.safetensors")
step()
