"""Whether an exported folder gives the vectors of the student: FOLDER TEXTS.jsonl VECTORS.jsonl.

Exit code 77 where sentence-transformers is not installed.
"""

import json
import sys

try:
    import numpy as np
    import sentence_transformers
    from sentence_transformers import SentenceTransformer
except ImportError as error:
    print(error)
    sys.exit(77)

folder, texts, expected = sys.argv[1:]
texts = [json.loads(line) for line in open(texts, encoding="utf-8")]
expected = np.array([json.loads(line) for line in open(expected, encoding="utf-8")], dtype=np.float32)
own_modules = "limbeck_student" not in open(f"{folder}/modules.json").read()
model = SentenceTransformer(folder, device="cpu", trust_remote_code=not own_modules)
found = model.encode(texts, batch_size=4)
off = abs(found - expected).max()
print(f"sentence-transformers {sentence_transformers.__version__}, {len(texts)} texts, off by {off:.1e} at most")
assert off < 1e-5
query, document = model.encode_query("the dog"), model.encode_document("the dog")
assert abs(query - document).max() < 1e-6
