"""Times distillation steps of a student in PyTorch: the shape of a limbeck student, its weights, the same text.

    python benches/peers/distil_step.py STUDENT TEXT.parquet [STEPS] [THREADS]

STUDENT is a student's folder, TEXT.parquet the run's text/train.parquet. Batches of 512 texts, cosine loss, AdamW, no
dropout, as in the recipes; the embedding's gradient is dense, as in PyTorch's own AdamW, unless SPARSE=1 is set (SparseAdam).
Tokenizing is left out. limbeck's own figure is the rate that `limbeck run` tells for the stage `distil`.
"""
import json, os, sys, time
import pyarrow.parquet
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from tokenizers import Tokenizer

folder, text = sys.argv[1:3]
steps, threads = (int(sys.argv[at]) if len(sys.argv) > at else default for at, default in ((3, 20), (4, 2)))
sparse = os.environ.get("SPARSE") == "1"
torch.manual_seed(1)
torch.set_num_threads(threads)
config = json.load(open(f"{folder}/config.json"))
config = config.get("student", config)
weights = load_file(f"{folder}/model.safetensors")
p = {name: torch.nn.Parameter(tensor.float()) for name, tensor in weights.items()}
texts = pyarrow.parquet.ParquetFile(text).read_row_group(0, columns=["text"])["text"].to_pylist()[: 512 * steps]
tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
tokenizer.no_padding()
rows = [encoding.ids or [0] for encoding in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

table = [p["embedding.weight"]]
dense = [parameter for name, parameter in p.items() if name != "embedding.weight"]
optimisers = [torch.optim.AdamW(dense if sparse else dense + table, lr=2e-3)]
if sparse:
    optimisers.append(torch.optim.SparseAdam(table, lr=2e-3))


def forward(ids, mask):
    e = F.embedding(ids, table[0], sparse=sparse) * mask[:, :, None]
    channels, penalty = e.transpose(1, 2), ((mask - 1) * 1e30)[:, None, :]
    convolve = lambda name: F.conv1d(channels, p[f"{name}.weight"], p[f"{name}.bias"],
                                     padding=p[f"{name}.weight"].shape[2] // 2)
    output = 0
    if config["convolutions"]:
        pooled = [(convolve(f"conv{bank['width']}") + penalty).amax(2).relu() for bank in config["convolutions"]]
        output = output + F.linear(torch.cat(pooled, 1), p["linear.weight"], p["linear.bias"])
    if config["attention"]:
        scores = p["score.weight"] @ convolve("score_conv").relu() + p["score.bias"][:, None] + penalty
        shares = scores.softmax(2)
        if "value.weight" in p:
            values = F.linear(e, p["value.weight"]).unflatten(2, (shares.shape[1], -1))
            attended = torch.einsum("bhl,blhv->bhv", shares, values)
        else:
            attended = shares @ e
        output = output + F.linear(attended.flatten(1), p["heads.weight"])
    if config["skip"]:
        output = output + F.linear(e.sum(1) / mask.sum(1, keepdim=True), p["skip.weight"])
    return output


times = []
for step in range(steps):
    batch = rows[step * 512 : (step + 1) * 512]
    longest = max(map(len, batch))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in batch])
    mask = torch.tensor([[1.0] * len(row) + [0.0] * (longest - len(row)) for row in batch])
    target = F.normalize(torch.randn(len(batch), config["dimension"]), dim=1)
    start = time.perf_counter()
    loss = (1 - F.cosine_similarity(forward(ids, mask), target)).mean()
    loss.backward()
    for optimiser in optimisers:
        optimiser.step()
        optimiser.zero_grad()
    times.append(time.perf_counter() - start)
    print(f"{step + 1}: {times[-1]:.3f} s, {longest} tokens at most, loss {loss.item():.4f}", flush=True)
times = sorted(times[2:])
print(f"median {times[len(times) // 2]:.4f} s a step, {512 / times[len(times) // 2]:.0f} texts a second")
