"""The clients of other libraries against `limbeck serve`."""

import base64
import contextlib
import os
import subprocess
import threading

import limbeck
import numpy as np
import openai
import pytest
from langchain_openai import OpenAIEmbeddings

KEY = "sk-0123456789"
TEXTS = ["a dog sees the river", "old house", "gütig", ""]


@contextlib.contextmanager
def serving(model, *arguments):
    """The address of a server of this model."""
    command = [limbeck.command(), "serve", "--model", str(model), "--name", "small", "--address", "127.0.0.1:0"]
    environment = {**os.environ, "LIMBECK_TEST_KEY": KEY}
    command += ["--key-env", "LIMBECK_TEST_KEY", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=environment, **pipes) as process:
        # The pipe of the log must not fill.
        log = threading.Thread(target=process.stderr.read)
        log.start()
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
            assert process.wait(60) == 0
            log.join()


@pytest.fixture(scope="module")
def url(folded):
    with serving(folded, "--max-texts", "100") as url:
        yield url


@pytest.fixture(scope="module")
def client(url):
    return openai.OpenAI(base_url=url, api_key=KEY, max_retries=0)


def test_openai_gets_the_vectors_of_the_student_in_both_encodings(client, student):
    expected = student.encode(TEXTS)
    for encoding in ["float", "base64", openai.omit]:
        answer = client.embeddings.create(model="small", input=TEXTS, encoding_format=encoding)
        assert [item.index for item in answer.data] == list(range(len(TEXTS)))
        vectors = [item.embedding for item in answer.data]
        if encoding == "base64":
            vectors = [np.frombuffer(base64.b64decode(vector), "<f4") for vector in vectors]
        assert np.array_equal(np.array(vectors, dtype=np.float32), expected)
        assert answer.usage.total_tokens == 8


def test_openai_gets_a_text_token_ids_and_fewer_dimensions(client, student):
    one = client.embeddings.create(model="small", input="old house")
    ids = client.embeddings.create(model="small", input=[[9, 8], [2]])
    short = client.embeddings.create(model="small", input="old house", dimensions=8)
    expected = student.encode(["old house", "dog"])
    assert np.array_equal(np.float32(one.data[0].embedding), expected[0])
    assert np.array_equal(np.float32([item.embedding for item in ids.data]), expected)
    assert np.allclose(short.data[0].embedding, student.encode("old house", truncate_dim=8), atol=1e-6)


def test_openai_lists_the_model(client):
    assert [model.id for model in client.models.list()] == ["small"]
    assert client.models.retrieve("small").owned_by == "limbeck"


def test_openai_raises_its_own_errors(client, url):
    with pytest.raises(openai.NotFoundError, match="large"):
        client.embeddings.create(model="large", input="a")
    with pytest.raises(openai.BadRequestError, match="dimensions"):
        client.embeddings.create(model="small", input="a", dimensions=1000)
    with pytest.raises(openai.UnprocessableEntityError, match="101 texts"):
        client.embeddings.create(model="small", input=["a"] * 101)
    with pytest.raises(openai.AuthenticationError, match="key"):
        openai.OpenAI(base_url=url, api_key="sk-other").embeddings.create(model="small", input="a")


def test_langchain_gets_the_vectors_of_the_student(url, student):
    # Otherwise LangChain sends token ids of OpenAI's own tokenizer, which is fetched and is not the student's.
    model = OpenAIEmbeddings(model="small", base_url=url, api_key=KEY, check_embedding_ctx_length=False, chunk_size=50)
    texts = TEXTS[:3] * 40
    assert np.array_equal(np.float32(model.embed_documents(texts)), student.encode(texts))
    assert np.array_equal(np.float32(model.embed_query("old house")), student.encode("old house"))
