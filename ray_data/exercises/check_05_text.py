import os
import re
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import ray

FILES, ROWS = 5, 400


def check(attempt) -> str:
    os.environ["RAY_DATA_PARQUET_FOOTER_NUM_ACTORS"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(Path(folder, f"{k}.parquet")) for k in range(FILES)]
        for k, path in enumerate(paths):
            ids = range(k * ROWS, (k + 1) * ROWS)
            pq.write_table(pa.table({"id": ids, "text": [f"problem {i}" for i in ids]}), path)
        ray.init(num_cpus=2, log_to_driver=False)
        ray.data.DataContext.get_current().enable_progress_bars = False
        ds = attempt.tokens(paths)
        assert isinstance(ds, ray.data.Dataset), "tokens() returns no Dataset: return the plan"
        done = attempt.batches(ds)
        assert done is not None, "batches() returns nothing"
        done = [(batch["id"], batch.get("tokens")) for batch in done]
    assert done and done[0][1] is not None, "no column tokens: map_batches with tokenise is missing"
    tasks = [int(n) for n in re.findall(r"MapBatches\S*: (\d+) tasks executed", ds.stats())]
    assert tasks, "tokenise takes a batch of rows: call it with map_batches, not with map"
    ids = np.concatenate([ids for ids, _ in done])
    total = FILES * ROWS
    assert sorted(ids) == list(range(total)), f"{len(ids)} rows came, not each of {total} once"
    assert np.concatenate([tokens for _, tokens in done]).shape == (total, 16), (
        "the tokens of a batch are not rows of 16: use tokenise as it is"
    )
    sizes = {len(ids) for ids, _ in done[:-1]}
    assert sizes == {32}, f"batches of {max(sizes)} rows, not of 32: give batch_size"
    assert max(tasks) > 1, (
        "1 task tokenised everything, as ds.stats() shows: read_parquet made one block of all"
        " files, so cut it with repartition(target_num_rows_per_block=200)"
    )
    assert max(tasks) == total // 200, (
        f"{max(tasks)} tasks tokenised, not {total // 200} of 200 rows each"
    )
    assert (np.diff(done[0][0]) != 1).any(), (
        "the rows come in the order of the files: local_shuffle_buffer_size shuffles them"
    )
    return f"{max(tasks)} tasks tokenised {total} rows, which came shuffled in batches of 32"
