import asyncio

import openai


async def ask_all(
    client: openai.AsyncOpenAI, model: str, questions: list[str], at_once: int
) -> list[str]:
    places = asyncio.Semaphore(at_once)

    async def ask(question: str) -> str:
        chat = [dict(role="user", content=question)]
        async with places:
            try:
                said = await client.chat.completions.create(model=model, messages=chat)
            except openai.APIStatusError as error:
                if error.status_code >= 500:
                    raise
                return f"refused: {error.status_code}"
        return said.choices[0].message.content

    return await asyncio.gather(*(ask(question) for question in questions))
