from vllm import SamplingParams
from vllm.sampling_params import StructuredOutputsParams

ITEMS = ["pens", "books", "cookies"]


def order():
    fields = dict(
        item=dict(enum=ITEMS),
        count=dict(type="integer", minimum=1, maximum=99),
        gift=dict(type="boolean"),
    )
    schema = dict(
        type="object", properties=fields, required=list(fields), additionalProperties=False
    )
    form = StructuredOutputsParams(json=schema)
    return SamplingParams(temperature=0, max_tokens=64, structured_outputs=form)
