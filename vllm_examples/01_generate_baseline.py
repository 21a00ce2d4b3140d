"""A language model solves grade-school problems: transformers, one prompt after another.

    python vllm_examples/01_generate_baseline.py

`--batch 16` gives it 16 prompts at a time, `--model` another model, as Qwen/Qwen2.5-0.5B-Instruct.
Last line: 200 prompts in 18.35 s (10.9 prompts/s), answer ffdc1f83
"""

import time

import typer

from workshop import llm


def main(
    prompts: int = 200, tokens: int = 96, batch: int = 1, model: str = llm.MODEL, seed: int = 42
) -> dict:
    """Writes at most TOKENS tokens to each of PROMPTS questions, BATCH at a time, greedily."""
    if min(prompts, tokens, batch) < 1:
        raise typer.BadParameter("--prompts, --tokens and --batch start at 1")
    llm.prepare(model)
    problems, start = llm.problems(prompts, seed), time.perf_counter()

    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(llm.threads())
    tokenizer = AutoTokenizer.from_pretrained(model, padding_side="left")
    network = AutoModelForCausalLM.from_pretrained(model, dtype=llm.dtype()).to(llm.device()).eval()
    given = dict(add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt")

    def generate(chats: list) -> list[list[int]]:
        asked = tokenizer.apply_chat_template(chats, **given).to(network.device)
        written = network.generate(**asked, max_new_tokens=tokens, do_sample=False)
        return written[:, asked["input_ids"].shape[1] :].tolist()

    chats = llm.chats(problems)
    generate(chats[:1])
    ready = time.perf_counter() - start

    start = time.perf_counter()
    written = []
    for k in range(0, prompts, batch):
        written += generate(chats[k : k + batch])
    seconds = time.perf_counter() - start

    texts = tokenizer.batch_decode(written, skip_special_tokens=True)
    count = sum(token != tokenizer.pad_token_id for row in written for token in row)
    right, rate, answer = llm.right(texts, problems), prompts / seconds, llm.digest(texts)
    print(f"ready in {ready:.1f} s")
    print(f"{right} of {prompts} right; {count} tokens, {count / seconds:.0f} tokens/s")
    print(f"{prompts} prompts in {seconds:.2f} s ({rate:.1f} prompts/s), answer {answer}")
    figures = dict(items=prompts, unit="prompts", seconds=seconds, ready_seconds=ready)
    return figures | dict(answer=answer, right=right, tokens=count)


if __name__ == "__main__":
    typer.run(main)
