from collections import Counter

from workshop import llm


def vote(engine, chats: list, times: int, tokens: int) -> list[int | None]:
    from vllm import SamplingParams

    drawn = SamplingParams(n=times, temperature=2, max_tokens=tokens)
    winners = []
    for one in engine.chat(chats, drawn, use_tqdm=False):
        numbers = [llm.number(answer.text) for answer in one.outputs]
        votes = Counter(number for number in numbers if number is not None)
        winners.append(votes.most_common(1)[0][0] if votes else None)
    return winners
