"""Times steps of unsupervised SimCSE in PyTorch, as teacher/examples/simcse_step.rs does in limbeck.

    python benches/peers/simcse_step.py FOLDER [STEPS] [TEXTS] [TOKENS] [THREADS]
"""
import sys, time
import torch
from transformers import BertModel

folder = sys.argv[1]
steps, texts, tokens, threads = (int(sys.argv[at]) if len(sys.argv) > at else default
                                 for at, default in ((2, 5), (3, 64), (4, 32), (5, 2)))
torch.manual_seed(1)
torch.set_num_threads(threads)
model = BertModel.from_pretrained(folder, add_pooling_layer=False)
model.train()
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-5, weight_decay=0.01)
for step in range(1, steps + 1):
    ids = torch.randint(0, model.config.vocab_size, (texts, tokens))
    ids = torch.cat([ids, ids])
    start = time.perf_counter()
    vectors = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[:, 0]
    forward = time.perf_counter() - start
    first, second = torch.nn.functional.normalize(vectors, dim=-1).split(texts)
    loss = torch.nn.functional.cross_entropy(first @ second.T / 0.05, torch.arange(texts))
    loss.backward()
    backward = time.perf_counter() - start - forward
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimiser.step()
    optimiser.zero_grad()
    total = time.perf_counter() - start
    print(f"{step}: {total:.3f} s (forward {forward:.3f}, backward {backward:.3f}), loss {loss.item()}", flush=True)
