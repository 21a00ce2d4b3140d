"""One model, several forms of answer: LoRA adapters in one vLLM engine, mixed in a batch.

    python vllm_examples/05_lora_vllm.py

`worked` is the model without an adapter; `plain` leaves its <<notes>> out, `short` is calculations
alone. They are trained on first use, in a minute. Each prompt asks for one of
the forms, as `--seed` has it.
Last line: 150 prompts in 2.35 s (63.7 prompts/s), answer bcbf68df
"""

import random
import time

import typer

from workshop import adapters, llm


def main(
    prompts: int = 150,
    tokens: int = 96,
    forms: str = "worked,plain,short",
    model: str = llm.MODEL,
    seed: int = 42,
) -> dict:
    """Answers PROMPTS questions, each in one of the FORMS."""
    if min(prompts, tokens) < 1:
        raise typer.BadParameter("--prompts and --tokens start at 1")
    asked_for = forms.split(",")
    if unknown := set(asked_for) - {"worked", *adapters.FORMS}:
        known = ", ".join(["worked", *adapters.FORMS])
        raise typer.BadParameter(f"no adapter '{min(unknown)}' for --forms: there are {known}")
    llm.prepare(model)
    folders = {form: adapters.cached(form, model) for form in adapters.FORMS if form in asked_for}
    problems, start = llm.problems(prompts, seed), time.perf_counter()

    from vllm import LLM, SamplingParams  # NEW:
    from vllm.lora.request import LoRARequest  # NEW:

    slots = len(folders) + 1  # NEW: one stays empty, for on a CPU `worked` gets what is in the last
    several = dict(enable_lora=True, max_loras=slots, max_lora_rank=adapters.RANK)  # NEW:
    engine = LLM(model, **several, **llm.options())  # NEW:
    named = enumerate(folders.items(), 1)  # NEW: a number of its own, or it is another's answer
    loras = {form: LoRARequest(form, number, folder) for number, (form, folder) in named}  # NEW:
    greedy = SamplingParams(temperature=0, max_tokens=tokens)  # NEW:

    def generate(wanted: list[str], chats: list) -> list:  # NEW:
        which = [loras.get(form) for form in wanted]  # NEW: None is the model alone
        answers = engine.chat(chats, greedy, use_tqdm=False, lora_request=which)  # NEW:
        return [one.outputs[0] for one in answers]  # NEW:

    chats, wanted = llm.chats(problems), random.Random(seed).choices(asked_for, k=prompts)
    for form in dict.fromkeys(asked_for):
        generate([form], chats[:1])  # NEW:
    ready = time.perf_counter() - start

    start = time.perf_counter()
    written = generate(wanted, chats)  # NEW:
    seconds = time.perf_counter() - start

    texts = [one.text for one in written]  # NEW:
    lengths = [len(one.token_ids) - (one.finish_reason == "stop") for one in written]  # NEW:
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
