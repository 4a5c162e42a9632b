"""Uses a host as any program does that speaks OpenAI's API, with the official package. Prints what it got, for the test."""

import json
import os

import openai

url = os.environ["BASE_URL"] + "/v1"
client = openai.OpenAI(base_url=url, api_key=os.environ["TOKEN"], max_retries=0)

models = {model.model_extra["name"]: model.id for model in client.models.list()}
messages = [{"role": "user", "content": os.environ["QUESTION"]}]

plain = client.chat.completions.create(model=client.models.retrieve(models["helper"]).id, messages=messages)

streamed, cost = "", None
with client.chat.completions.create(
    model="helper", messages=messages, stream=True, stream_options={"include_usage": True}
) as stream:
    for chunk in stream:
        streamed += "".join(choice.delta.content or "" for choice in chunk.choices)
        cost = chunk.usage or cost

schema = {"type": "object", "properties": {"count": {"type": "integer"}}}
parsed = client.chat.completions.create(
    model=models["scripted"],
    messages=[{"role": "system", "content": "Answer in JSON."}, *messages],
    response_format={"type": "json_schema", "json_schema": {"name": "count", "strict": True, "schema": schema}},
)


def refused(client, **body):
    try:
        client.chat.completions.create(**{"model": "helper", "messages": messages, **body})
    except openai.APIStatusError as error:
        return {"kind": type(error).__name__, "status": error.status_code, "code": error.code, "param": error.param}
    return None


stranger = openai.OpenAI(base_url=url, api_key="sk-wrong", max_retries=0)
tool = {"type": "function", "function": {"name": "x", "parameters": {}}}
print(
    json.dumps(
        {
            "plain": plain.choices[0].message.content,
            "finish": plain.choices[0].finish_reason,
            "streamed": streamed,
            "cost": cost.total_tokens,
            "parsed": json.loads(parsed.choices[0].message.content),
            "stranger": refused(stranger),
            "missing": refused(client, model="nobody"),
            "tools": refused(client, tools=[tool]),
        }
    )
)
