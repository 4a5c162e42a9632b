"""Asks an agent once, with a client as the package makes it: whatever it sends again by itself, it sends again. Prints what came of
it, for the test."""

import json
import os

import openai

client = openai.OpenAI(base_url=os.environ["BASE_URL"] + "/v1", api_key=os.environ["TOKEN"])
messages = [{"role": "user", "content": os.environ["QUESTION"]}]
try:
    answer = client.chat.completions.create(model="helper", messages=messages)
    print(json.dumps({"text": answer.choices[0].message.content}))
except openai.APIStatusError as error:
    print(json.dumps({"status": error.status_code, "message": str(error)}))
