"""GSM-8K with transformers, one question after another: the speed that yours is compared with.

    python vllm_examples/gsm8k/baseline.py

`--data`, `--shots`, `--tokens` and `--model` are those of reference.py. Killed, it starts over.
Last line: 100 questions in 9.03 s (11.1 questions/s), answer 10c2cca9
"""

import time
from pathlib import Path

import typer

from workshop import gsm8k, llm


def main(
    questions: int = 100,
    data: str = "",
    out: Path = Path("out/vllm_examples/gsm8k/baseline"),
    shots: int = 0,
    tokens: int = 96,
    model: str = llm.MODEL,
    seed: int = 42,
) -> dict:
    """Answers QUESTIONS of DATA (hub, FILE.jsonl, generated ones), SHOTS examples before each."""
    if min(questions, tokens) < 1 or shots < 0:
        raise typer.BadParameter("--questions and --tokens start at 1, --shots at 0")
    good, bad = gsm8k.sorted_out(gsm8k.load(data, "test", questions, seed))
    source = "hub" if data == "hub" and shots else ""
    shown, _ = gsm8k.sorted_out(gsm8k.load(source, "train", shots or 1, seed + 1))
    examples = gsm8k.as_chats(shown[:shots])
    llm.prepare(model)
    start = time.perf_counter()
    asked = llm.digest([repr((row["id"], row["question"], row["gold"])) for row in good])
    settings = dict(model=model, tokens=tokens, examples=examples, questions=asked)
    gsm8k.begin(out, True, bad, settings)

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(llm.threads())
    tokenizer = AutoTokenizer.from_pretrained(model)
    network = AutoModelForCausalLM.from_pretrained(model, dtype=llm.dtype()).to(llm.device()).eval()
    context = network.config.max_position_embeddings
    given = dict(add_generation_prompt=True, return_dict=True, return_tensors="pt")

    def generate(question: str) -> dict:
        chat = [*examples, dict(role="user", content=question)]
        asked = tokenizer.apply_chat_template(chat, **given).to(network.device)
        length = asked["input_ids"].shape[1]
        if (room := min(tokens, context - length)) < 1:
            return dict(text="", finish="too long", tokens=0)
        written = network.generate(**asked, max_new_tokens=room, do_sample=False)[0, length:]
        ends = network.generation_config.eos_token_id
        ended = written[-1].item() in (ends if isinstance(ends, list) else [ends])
        text = tokenizer.decode(written, skip_special_tokens=True)
        return dict(text=text, finish="stop" if ended else "length", tokens=len(written) - ended)

    if good:
        generate(good[0]["question"])
    ready = time.perf_counter() - start

    start = time.perf_counter()
    rows = []
    for row in good:
        rows.append(row | generate(row["question"]))
        if len(rows) % 20 == 0:
            print(f"{len(rows)} of {len(good)} answered", flush=True)
    seconds = time.perf_counter() - start
    if rows:
        gsm8k.keep(out, rows)
    figures = gsm8k.summed_up(out, len(bad), set(), seconds, ready)

    items, rate = figures["generated"], figures["generated"] / (seconds or 1)
    print(f"ready in {ready:.1f} s")
    print(f"{figures['correct']} of {len(good)} right ({figures['accuracy']:.2%})")
    print(f"{figures['tokens']} tokens, {figures['tokens_per_second'] or 0:.0f} tokens/s; {out}")
    print(
        f"{items} questions in {seconds:.2f} s ({rate:.1f} questions/s), answer {figures['answer']}"
    )
    return dict(items=items, unit="questions") | figures


if __name__ == "__main__":
    typer.run(main)
