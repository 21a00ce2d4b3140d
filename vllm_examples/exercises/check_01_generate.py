from types import SimpleNamespace

from workshop import llm

TIMES, TOKENS, TEMPERATURE = 7, 96, 2
# What the stand-in for the engine answers to each chat, and the number that must win.
ANSWERS = {
    "agree": (["4+3=7\n#### 7"] * 5 + ["#### 9"] * 2, 7),
    "say it in other words": (["a #### 7", "b #### 7", "c #### 7", "d #### 7"] + ["#### 9"] * 3, 7),
    "mostly give none": (["I do not know"] * 4 + ["#### 5", "#### 5", "#### 6"], 5),
    "give none at all": (["I do not know"] * 7, None),
}


class StandIn:
    """Answers as ANSWERS says, and notes with which parameters it was asked."""

    def __init__(self) -> None:
        self.given, self.asked = [], dict.fromkeys(ANSWERS, 0)

    def chat(self, chats, sampling_params=None, **more) -> list:
        parameters = sampling_params
        assert parameters is not None, "chat() got no SamplingParams"
        assert not isinstance(parameters, list), "one SamplingParams serves all chats: give no list"
        self.given.append(parameters)
        many = chats if isinstance(chats[0], list) else [chats]
        return [self.outputs(one[0]["content"], parameters.n) for one in many]

    def outputs(self, question: str, count: int) -> SimpleNamespace:
        begin = self.asked[question]
        self.asked[question] += count
        texts = [text for text in ANSWERS[question][0] * 2][begin : begin + count]
        return SimpleNamespace(outputs=[SimpleNamespace(text=text) for text in texts])


def check(attempt) -> str:
    engine, chats = StandIn(), [[dict(role="user", content=question)] for question in ANSWERS]
    winners = attempt.vote(engine, chats, TIMES, TOKENS)
    check_parameters(engine)
    assert isinstance(winners, list), f"vote() returns {type(winners).__name__}, not a list"
    assert len(winners) == len(chats), f"{len(chats)} chats, but {len(winners)} numbers"
    for (how, (_, wanted)), winner in zip(ANSWERS.items(), winners, strict=True):
        assert winner == wanted, (
            f"where the answers {how}, {wanted} wins, not {winner}: vote on numbers, without None"
        )
    return check_with_vllm(attempt)


def check_parameters(engine: StandIn) -> None:
    assert engine.given, "the engine was not asked: engine.chat(chats, ..)"
    for parameters in engine.given:
        assert parameters.temperature > 0, "at temperature 0 all answers to a chat are the same one"
        assert parameters.temperature == TEMPERATURE, (
            f"the temperature is {parameters.temperature}, not {TEMPERATURE}"
        )
        assert parameters.max_tokens == TOKENS, (
            f"an answer ends after {parameters.max_tokens} tokens, not {TOKENS}: max_tokens"
        )
    seeds = [parameters.seed for parameters in engine.given if parameters.seed is not None]
    assert len(set(seeds)) == len(seeds), "the same seed each time draws the same answer each time"
    least = min(engine.asked.values())
    assert least == TIMES, f"a chat got {least} answers, not {TIMES}: SamplingParams(n=..)"


def check_with_vllm(attempt) -> str:
    llm.prepare()

    from vllm import LLM

    engine, problems = LLM(llm.MODEL, **llm.options(), seed=42), llm.problems(60, seed=1)
    shares = []
    for times in (1, TIMES):
        numbers = attempt.vote(engine, llm.chats(problems), times, TOKENS)
        right = sum(n == p.number for n, p in zip(numbers, problems, strict=True))
        shares.append(right / len(problems))
    assert shares[1] > shares[0], f"one is right in {shares[0]:.0%}, the vote in {shares[1]:.0%}"
    return f"one drawn answer is right in {shares[0]:.0%}, seven that vote in {shares[1]:.0%}"
