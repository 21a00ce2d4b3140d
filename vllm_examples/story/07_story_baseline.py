"""A model's whole life by hand: text, LoRA in one process, an exam, a service, a bad roll-out.

    python vllm_examples/story/07_story_baseline.py

The model learns a kind of problem that it gets wrong; while clients ask, a spoilt copy takes its
place, is found out by its answers and taken back. `answer` is the digest of all that the models
write in the exam and to the tester.
Last line: 920 answers in 156.83 s (5.9 answers/s), answer 386ea46c
"""

import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import psutil
import typer
import uvicorn
from pyarrow import parquet

from workshop import chats, llm, load, story, web

FOLDER = Path("out/vllm_examples/07_story/baseline").absolute()
HALF = story.BATCH // 2


def prepared(folder: Path, exam: list, model: str) -> list[dict]:
    """Token ids in the order of the text, without the problems of the exam; 16 rows a block."""
    known = {one.question for one in exam}
    texts = [row for row in parquet.read_table(folder).to_pylist() if row["question"] not in known]
    starts = range(0, len(texts), HALF)
    blocks = [
        {name: [row[name] for row in texts[k : k + HALF]] for name in texts[k]} for k in starts
    ]
    return [story.tokenise(block, model) for block in blocks]


def fine_tuned(halves: list[dict], model: str, steps: int, seed: int) -> dict:
    """The losses of the first halves, the CPU-seconds, the folder of the adapter."""
    start = time.process_time()
    config = dict(model=model, steps=steps, seed=seed)
    tuned, optimizer, schedule = story.lora(**config)
    losses = []
    for k, half in enumerate(halves):
        loss = story.loss(tuned, half)
        (loss / 2).backward()  # two halves add up to one step
        if k % 2 == 0:
            losses.append(loss.item())
            continue
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    spent = time.process_time() - start
    tuned.save_pretrained(FOLDER / "adapter")
    return dict(cpu=spent, losses=losses, adapter=str(FOLDER / "adapter"))


def writer(model: str) -> Callable[[list], list[str]]:
    """What answers chats, all of them in one batch."""
    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(llm.threads())
    tokenizer = story.tokenizer(model)
    network = AutoModelForCausalLM.from_pretrained(model, dtype=llm.dtype()).to(llm.device()).eval()
    given = dict(add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt")

    def write(chats: list) -> list[str]:
        asked = tokenizer.apply_chat_template(chats, **given).to(network.device)
        written = network.generate(**asked, max_new_tokens=story.TOKENS, do_sample=False)
        return tokenizer.batch_decode(written[:, asked["input_ids"].shape[1] :], True)

    return write


def examined(exam: list, models: dict[str, str]) -> dict[str, list[str]]:
    """What each model answers, in the order of the exam."""
    chats, answers = llm.chats(exam), {}
    for name, model in models.items():
        write, starts = writer(model), range(0, len(chats), HALF)
        answers[name] = [text for k in starts for text in write(chats[k : k + HALF])]
    return answers


def serve_app(model: str, port: int) -> None:
    llm.prepare(model)
    app, write = chats.app(), writer(model)

    tokens = story.tokenizer(model)

    @app.post(chats.PATH)
    async def chat(ask: chats.Ask) -> dict:  # the event loop waits: one at a time
        (text,) = write([ask.chat])
        read, written = (len(tokens.tokenize(each)) for each in (ask.chat[-1]["content"], text))
        finish = "stop" if written < story.TOKENS else "length"
        return chats.completion(text, read, written, finish)

    uvicorn.run(app, host=web.HOST, port=port, log_level="warning")


def main(
    steps: int = 120,
    problems: int = 400,
    requests: int = 40,
    clients: int = 2,
    port: int = 8000,
    model: str = llm.MODEL,
    seed: int = 42,
) -> dict:
    """STEPS of LoRA, an exam of PROBLEMS, and REQUESTS to each model that is live."""
    if min(steps, requests, clients) < 1 or problems < max(requests, 10):
        raise typer.BadParameter("all sizes start at 1; --problems at 10, and at --requests")
    web.check_port(port)
    llm.prepare(model)
    shutil.rmtree(FOLDER, ignore_errors=True)
    exam, step = story.exam(problems, seed), story.Steps()
    story.write_texts(FOLDER / "texts", steps * story.BATCH, exam, seed)
    ready = time.time() - psutil.Process().create_time()

    with step("text"):
        halves = prepared(FOLDER / "texts", exam, model)
    with step(f"{steps} steps of LoRA") as tell:
        done = fine_tuned(halves, model, steps, seed)
        tell(f"{done['cpu']:.0f} CPU-seconds, loss {done['losses'][-1]:.6f}")
    with step("merged and saved"):
        tuned = story.merge(model, done["adapter"], FOLDER / "tuned")
    with step(f"exam of {problems} problems") as tell:
        texts = examined(exam, dict(base=model, tuned=tuned))
        scores = {name: story.scores(told, exam) for name, told in texts.items()}
        tell(story.told(scores))
    best = max(scores, key=lambda name: sum(scores[name].values()))
    good = dict(base=model, tuned=tuned)[best]
    spoilt = story.spoil(good, FOLDER / "spoilt")

    asked, url = exam[:requests], f"http://{web.HOST}:{port}"
    tester, server = story.Tester(url, asked, clients, step), ExitStack()

    def go_live(model: str) -> None:
        server.close()
        server.enter_context(web.running(partial(serve_app, model), port))

    with server:
        with step(f"{best} goes live"):
            go_live(good)
        tester.ask()
        with load.sustained(url + chats.PATH, story.bodies(asked), clients, pause=3) as traffic:
            with step("a spoilt copy takes its place, while clients ask"):
                go_live(spoilt)
            tester.ask()
            if tester.alarmed:
                with step("noticed, and taken back"):
                    go_live(good)
            tester.ask()

    seconds, failed = sum(step.seconds.values()), len(traffic.failed)
    wrong, answers = story.wrong(traffic, asked), [*texts["base"], *texts["tuned"], *tester.texts]
    answer, items = llm.digest(answers), len(answers)
    print(f"{failed} of {len(traffic.answers)} requests failed, {wrong} got a wrong answer")
    print(f"ready in {ready:.1f} s")
    print(f"{items} answers in {seconds:.2f} s ({items / seconds:.1f} answers/s), answer {answer}")
    figures = dict(items=items, unit="answers", seconds=seconds, ready_seconds=ready, answer=answer)
    figures |= dict(scores=scores, cpu_seconds=done["cpu"], losses=done["losses"], best=best)
    figures |= dict(failed=failed, wrong=wrong, asked=len(traffic.answers), right=tester.right)
    return figures | dict(steps=step.seconds)


if __name__ == "__main__":
    typer.run(main)
