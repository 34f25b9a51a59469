"""A limbeck student in PyTorch, as a module of sentence-transformers.

    SentenceTransformer("path/to/this/folder", trust_remote_code=True)

    max-pooled = max over positions of relu(conv_w(E[s]) + b_w)        for each width w
    attended   = for each head h: sum_i softmax_i(score_h(relu(conv(E[s])))) * E[s_i]      (or value_h(E[s_i]))
    output     = linear(max-pooled) + heads(attended) + skip(mean E[s])

The Normalize module after this one gives the output length 1. A text without tokens is read as the last row of E.

Where the package `limbeck` is installed, `encode` on the CPU takes the vectors from it, which is faster; they differ by
less than 1e-6. Weights that were changed since they were loaded stay in PyTorch, and so does training.
"""

import json
import os

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

try:
    from sentence_transformers.base.modules import InputModule
except ImportError:  # before 5.4
    from sentence_transformers.models import InputModule

try:
    from limbeck import Student
except ImportError:
    Student = None


class LimbeckStudent(InputModule):
    save_in_root = True

    def __init__(self, config, weights, tokenizer, folder=None):
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        self.tokenizer.no_padding()
        self.max_seq_length = config["max_tokens"]
        for name, tensor in weights.items():
            self.register_parameter(name.replace(".", "_"), torch.nn.Parameter(tensor.float()))
        self.names = list(weights)
        self.folder, self.student, self.loaded = folder, None, self.state()

    def state(self):
        """Another one for weights that were changed, moved or copied since they were loaded."""
        return [(weight.data_ptr(), weight.is_inference() or weight._version) for weight in self.parameters()]

    def fast(self):
        """The student of the package `limbeck`, where its vectors are these weights'; otherwise None."""
        is_encoding = not torch.is_grad_enabled() and not self.training
        if Student is None or self.folder is None or not is_encoding or self.state() != self.loaded:
            return None
        if self.max_seq_length != self.config["max_tokens"]:
            return None
        if self.student is None:
            self.student = Student.load(self.folder, threads=torch.get_num_threads())
        return self.student

    def preprocess(self, inputs, prompt=None, **kwargs):
        texts = [(prompt or "") + text for text in inputs]
        student = self.fast()
        if student is not None:
            return {"sentence_embedding": torch.from_numpy(student.encode(texts))}
        if self.max_seq_length is None:
            self.tokenizer.no_truncation()
        else:
            self.tokenizer.enable_truncation(self.max_seq_length)
        encoded = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        nothing = [self.config["vocabulary"] - 1]
        ids = [encoding.ids or nothing for encoding in encoded]
        longest = max(map(len, ids), default=0)
        mask = [[1] * len(row) + [0] * (longest - len(row)) for row in ids]
        ids = [row + [0] * (longest - len(row)) for row in ids]
        return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask)}

    tokenize = preprocess

    def forward(self, features, **kwargs):
        if "sentence_embedding" in features:
            return features
        mask = features["attention_mask"].to(self.embedding_weight.dtype)
        embedded = F.embedding(features["input_ids"], self.embedding_weight) * mask[:, :, None]
        penalty = ((mask - 1) * 1e30)[:, None, :]

        def convolve(weight, bias):  # [batch, filters, length]
            return F.conv1d(embedded.transpose(1, 2), weight, bias, padding=weight.shape[2] // 2)

        output = 0
        if self.config["convolutions"]:
            widths = [bank["width"] for bank in self.config["convolutions"]]
            banks = [convolve(self[f"conv{w}.weight"], self[f"conv{w}.bias"]) + penalty for w in widths]
            pooled = torch.cat([bank.amax(2).relu() for bank in banks], 1)
            output = output + F.linear(pooled, self["linear.weight"], self["linear.bias"])
        if self.config["attention"]:
            found = convolve(self["score_conv.weight"], self["score_conv.bias"]).relu()
            scores = self["score.weight"] @ found + self["score.bias"][:, None] + penalty
            shares = scores.softmax(2)  # [batch, heads, length]
            if self.config["attention"].get("values"):
                values = F.linear(embedded, self["value.weight"]).unflatten(2, (shares.shape[1], -1))
                attended = torch.einsum("bhl,blhv->bhv", shares, values)
            else:
                attended = shares @ embedded  # [batch, heads, width]
            output = output + F.linear(attended.flatten(1), self["heads.weight"])
        if self.config["skip"]:
            mean = embedded.sum(1) / mask.sum(1, keepdim=True)
            output = output + F.linear(mean, self["skip.weight"])
        features["sentence_embedding"] = output
        return features

    def __getitem__(self, name):
        return getattr(self, name.replace(".", "_"))

    def get_sentence_embedding_dimension(self):
        return self.config["dimension"]

    get_embedding_dimension = get_sentence_embedding_dimension

    def save(self, output_path, *args, **kwargs):
        weights = {name: self[name].detach().contiguous() for name in self.names}
        save_file(weights, os.path.join(output_path, "model.safetensors"))
        self.tokenizer.save(os.path.join(output_path, "tokenizer.json"))
        with open(os.path.join(output_path, "config.json"), "w") as file:
            json.dump(self.config | {"max_tokens": self.max_seq_length}, file, indent=2)

    @classmethod
    def load(cls, model_name_or_path, subfolder="", token=None, cache_folder=None, revision=None,
             local_files_only=False, **kwargs):
        hub = dict(token=token, cache_folder=cache_folder, revision=revision, local_files_only=local_files_only)
        find = lambda name: cls.load_file_path(model_name_or_path, filename=name, subfolder=subfolder, **hub)
        with open(find("config.json")) as file:
            config = json.load(file)
        weights = find("model.safetensors")
        return cls(config, load_file(weights), Tokenizer.from_file(find("tokenizer.json")), os.path.dirname(weights))
