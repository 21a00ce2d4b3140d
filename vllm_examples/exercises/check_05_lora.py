from types import SimpleNamespace

FOLDERS = {"Ines": "/adapters/ines", "Karl": "/adapters/karl"}
CUSTOMERS = ["Karl", "anybody", "Ines", "Karl", "Ines", "anybody", "Karl"]
QUESTIONS = [f"question {k}" for k in range(len(CUSTOMERS))]


class Engine:
    """Stands for vllm.LLM with enable_lora: its answers say with which adapter it answered."""

    def __init__(self) -> None:
        self.calls, self.loaded = 0, {}

    def chat(self, messages, sampling_params=None, lora_request=None, **_) -> list:
        self.calls += 1
        messages = [messages] if isinstance(messages[0], dict) else messages
        alike = lora_request if isinstance(lora_request, list) else [lora_request] * len(messages)
        assert len(alike) == len(messages), (
            f"{len(messages)} questions and {len(alike)} lora_requests: there is one for each"
        )
        return [self.answer(*each) for each in zip(messages, alike, strict=True)]

    def answer(self, chat, lora) -> SimpleNamespace:
        folder = "the model alone"
        if lora is not None:
            folder = self.loaded.setdefault(lora.lora_int_id, lora.lora_path)  # as vLLM does
            assert folder == lora.lora_path, (
                "two adapters have one number: vLLM answers with the one that it loaded first"
            )
        text = f"{chat[-1]['content']} by {folder}"
        return SimpleNamespace(outputs=[SimpleNamespace(text=text)])

    def generate(self, *_, **__) -> None:
        raise AssertionError("questions go to engine.chat, which puts them into the chat template")


def check(attempt) -> str:
    engine = Engine()
    found = attempt.answers(engine, QUESTIONS, CUSTOMERS, FOLDERS)
    assert isinstance(found, list) and all(isinstance(text, str) for text in found), (
        "answers() does not return a list of texts"
    )
    assert len(found) == len(QUESTIONS), f"{len(QUESTIONS)} questions, {len(found)} answers"
    for question, customer, text in zip(QUESTIONS, CUSTOMERS, found, strict=True):
        assert text.startswith(f"{question} by"), "the answers are not in the questions' order"
        wanted = FOLDERS.get(customer, "the model alone")
        assert text.endswith(wanted), f"{customer} got the answer of {text.partition(' by ')[2]}"
    assert engine.calls == 1, f"the engine was asked {engine.calls} times: one call mixes them all"
    engine = Engine()
    try:
        attempt.answers(engine, QUESTIONS[:2], ["Karl", "Otto"], FOLDERS)
    except ValueError as error:
        assert "Otto" in str(error), "the ValueError does not name who has no adapter"
    except KeyError:
        raise AssertionError("who has no adapter is a KeyError: say it in a ValueError") from None
    else:
        raise AssertionError("a customer without an adapter was answered all the same")
    assert not engine.calls, "the engine was asked before the unknown customer was refused"
    return "one engine, one call, each with the right adapter"
