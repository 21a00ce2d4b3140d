"""One model, several forms of answer: LoRA adapters in transformers and peft, one after another.

    python vllm_examples/05_lora_baseline.py

`worked` is the model without an adapter; `plain` leaves its <<notes>> out, `short` is calculations
alone. They are trained on first use, in a minute. Each prompt asks for one of
the forms, as `--seed` has it.
Last line: 150 prompts in 2.39 s (62.9 prompts/s), answer bcbf68df
"""

import random
import time
from contextlib import nullcontext

import typer

from workshop import adapters, llm


def main(
    prompts: int = 150,
    tokens: int = 96,
    batch: int = 16,
    forms: str = "worked,plain,short",
    model: str = llm.MODEL,
    seed: int = 42,
) -> dict:
    """Answers PROMPTS questions, each in one of the FORMS, BATCH of a form at a time."""
    if min(prompts, tokens, batch) < 1:
        raise typer.BadParameter("--prompts, --tokens and --batch start at 1")
    asked_for = forms.split(",")
    if unknown := set(asked_for) - {"worked", *adapters.FORMS}:
        known = ", ".join(["worked", *adapters.FORMS])
        raise typer.BadParameter(f"no adapter '{min(unknown)}' for --forms: there are {known}")
    llm.prepare(model)
    folders = {form: adapters.cached(form, model) for form in adapters.FORMS if form in asked_for}
    problems, start = llm.problems(prompts, seed), time.perf_counter()

    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(llm.threads())
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    network = AutoModelForCausalLM.from_pretrained(model, dtype=llm.dtype()).to(llm.device()).eval()
    for form, folder in folders.items():
        if isinstance(network, PeftModel):
            network.load_adapter(folder, form)
        else:
            network = PeftModel.from_pretrained(network, folder, form)
    given = dict(add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt")

    def generate(form: str, chats: list) -> list[list[int]]:
        asked = tokenizer.apply_chat_template(chats, **given).to(network.device)
        without = folders and form not in folders
        if form in folders:
            network.set_adapter(form)
        with network.disable_adapter() if without else nullcontext():
            written = network.generate(**asked, max_new_tokens=tokens, do_sample=False)
        return written[:, asked["input_ids"].shape[1] :].tolist()

    chats, wanted = llm.chats(problems), random.Random(seed).choices(asked_for, k=prompts)
    for form in dict.fromkeys(asked_for):
        generate(form, chats[:1])
    ready = time.perf_counter() - start

    start = time.perf_counter()
    written = [[]] * prompts
    for form in dict.fromkeys(asked_for):
        rows = [k for k in range(prompts) if wanted[k] == form]
        for k in range(0, len(rows), batch):
            some = rows[k : k + batch]
            answers = generate(form, [chats[row] for row in some])
            for row, ids in zip(some, answers, strict=True):
                written[row] = ids
    seconds = time.perf_counter() - start

    texts = tokenizer.batch_decode(written, skip_special_tokens=True)
    lengths = [sum(token != tokenizer.pad_token_id for token in row) for row in written]
    count, right, told = sum(lengths), llm.right(texts, problems), {}
    for form in dict.fromkeys(wanted):
        rows = [k for k in range(prompts) if wanted[k] == form]
        good = llm.right([texts[k] for k in rows], [problems[k] for k in rows])
        length = sum(lengths[k] for k in rows) / len(rows)
        told[form] = dict(prompts=len(rows), right=good, tokens=length)
        line = texts[rows[0]].replace("\n", " | ")
        print(f"{form}: {good} of {len(rows)} right, {length:.0f} tokens each, as {line[:50]}")
    rate, answer = prompts / seconds, llm.digest(texts)
    print(f"ready in {ready:.1f} s")
    print(f"{right} of {prompts} right; {count} tokens, {count / seconds:.0f} tokens/s")
    print(f"{prompts} prompts in {seconds:.2f} s ({rate:.1f} prompts/s), answer {answer}")
    figures = dict(items=prompts, unit="prompts", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, right=right, tokens=count, forms=told, texts=texts)


if __name__ == "__main__":
    typer.run(main)
