"""Exercise 5: one engine for two customers and everybody else.

ENGINE is vllm.LLM with enable_lora. FOLDERS has the folder of each customer's adapter, by his name.
Return the answer to each of QUESTIONS, a text, in their order: to that of CUSTOMERS who asked it
with his adapter, or with the model alone where the customer is "anybody". Ask the engine once.
Somebody else, without an adapter, is a ValueError that names him, before the engine is asked.

    make check EX=vllm_examples/05
"""


def answers(engine, questions: list[str], customers: list[str], folders: dict) -> list[str]:
    raise NotImplementedError("LoRARequest(name, number, folder), engine.chat(.., lora_request=..)")
