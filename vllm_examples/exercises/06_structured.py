"""Exercise 6: an order that a program can read.

Return SamplingParams with which vLLM writes an order as JSON and nothing else, greedily:

    {"item": "pens", "count": 12, "gift": false}

item is one of ITEMS, count a whole number from 1 to 99, gift true or false; all three must be
there and nothing else. max_tokens must do for the longest order: a token may be one character.

    make check EX=vllm_examples/06
"""

ITEMS = ["pens", "books", "cookies"]


def order():
    raise NotImplementedError("SamplingParams(.., structured_outputs=StructuredOutputsParams(..))")
