"""A language model solves grade-school problems: vLLM, all prompts at once.

    python vllm_examples/01_generate_vllm.py

`--model` takes another model, as Qwen/Qwen2.5-0.5B-Instruct.
Last line: 200 prompts in 1.22 s (164.1 prompts/s), answer ffdc1f83
"""

import time

import typer

from workshop import llm


def main(prompts: int = 200, tokens: int = 96, model: str = llm.MODEL, seed: int = 42) -> dict:
    """Writes at most TOKENS tokens to each of PROMPTS questions, greedily."""
    if min(prompts, tokens) < 1:
        raise typer.BadParameter("--prompts and --tokens start at 1")
    llm.prepare(model)
    problems, start = llm.problems(prompts, seed), time.perf_counter()

    from vllm import LLM, SamplingParams  # NEW:

    engine = LLM(model, **llm.options())  # NEW:
    greedy = SamplingParams(temperature=0, max_tokens=tokens)  # NEW:

    def generate(chats: list) -> list:  # NEW:
        return [one.outputs[0] for one in engine.chat(chats, greedy, use_tqdm=False)]  # NEW:

    chats = llm.chats(problems)
    generate(chats[:1])
    ready = time.perf_counter() - start

    start = time.perf_counter()
    written = generate(chats)  # NEW:
    seconds = time.perf_counter() - start

    texts = [one.text for one in written]  # NEW:
    count = sum(len(one.token_ids) - (one.finish_reason == "stop") for one in written)  # NEW:
    right, rate, answer = llm.right(texts, problems), prompts / seconds, llm.digest(texts)
    print(f"ready in {ready:.1f} s")
    print(f"{right} of {prompts} right; {count} tokens, {count / seconds:.0f} tokens/s")
    print(f"{prompts} prompts in {seconds:.2f} s ({rate:.1f} prompts/s), answer {answer}")
    figures = dict(items=prompts, unit="prompts", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, right=right, tokens=count)


if __name__ == "__main__":
    typer.run(main)
