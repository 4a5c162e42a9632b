"""Recipe 2 as the platform's cookbook has it. Browsers talk to the app's back end, which starts runs with the service key. The agent's
tool is a route of the same back end, and a token that goes through the model tells it whose articles are wanted."""

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from supabase_auth.errors import AuthError

from app import SERVICE_ROLE_KEY, admin, call, http, post

# Whom the tokens stand for that the agents pass to the tool. They tell nothing to who reads them, and open everything.
session_tokens = {}
tools, lock = [], threading.Lock()


def session_token_of(user_id):
    for token, user in session_tokens.items():
        if user == user_id:
            return token
    token = str(uuid.uuid4())
    session_tokens[token] = user_id
    return token


class BackEnd(BaseHTTPRequestHandler):
    """The app's back end, whose address the platform can reach."""

    def do_POST(self):
        route = {"/api/chat": self.chat, "/internal/tools/search-articles": self.search_articles}.get(self.path)
        if not route:
            return self.send_error(404)
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)))
        return route(body)

    def chat(self, body):
        """`POST /api/chat`: runs the user's agent with the service key, and passes its stream on."""
        user_id = who_asks(self.headers)
        if not user_id:
            return self.send_error(401)
        message, agent = body["message"], self.server.agent_for(user_id)
        keep(user_id, "user", message)
        # At each run, so that the model always has the present token.
        prompt = f"Always call search_user_articles with session_token = {session_token_of(user_id)}"
        call("PATCH", f"/api/agents/{agent}", SERVICE_ROLE_KEY, {"system_prompt": prompt})
        run = http.stream(
            "POST",
            f"/api/agents/{agent}/run/stream",
            headers={"apikey": SERVICE_ROLE_KEY, "Authorization": f"Bearer {SERVICE_ROLE_KEY}"},
            json={"message": message, "session_id": f"chat-{agent}"},
        )
        with run as stream:
            self.send_response(stream.status_code)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-cache")
            self.end_headers()
            for line in stream.iter_lines():
                event = json.loads(line.removeprefix("data: ")) if line.startswith("data: ") else {}
                if event.get("event") == "complete":
                    keep(user_id, "assistant", event["content"])
                self.wfile.write(f"{line}\n".encode())

    def search_articles(self, body):
        """The tool. Its client sees the articles of all users, so the filter on the owner must never be forgotten."""
        user_id = session_tokens.get(body["session_token"])
        if not user_id:
            return self.send_error(401)
        found = admin.rpc("search_articles", {"words": body["query"]}).eq("owner_id", user_id).execute().data
        results = [{"title": article["title"], "body": article["body"]} for article in found]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"results": results}).encode())

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", port), BackEnd)
        self.use("")

    def use(self, model):
        """From now on, users talk to agents with this model."""
        self.model, self.agents = model, {}

    def agent_for(self, user_id):
        """The user's agent. Each has its own, because a session token stands in its prompt."""
        with lock:
            if user_id not in self.agents:
                self.agents[user_id] = new_agent(self.model, f"http://127.0.0.1:{self.server_port}")
            return self.agents[user_id]


def start_back_end(port):
    server = Server(port)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def who_asks(sent):
    """The user whose token stands in a request of a browser."""
    token = (sent["Authorization"] or "").removeprefix("Bearer ")
    try:
        answer = admin.auth.get_user(token) if token else None
    except AuthError:
        return None
    return answer.user.id if answer else None


def keep(user_id, role, content):
    admin.table("chat_messages").insert({"owner_id": user_id, "role": role, "content": content}).execute()


def new_agent(model, back_end):
    agent = post("/api/agents", SERVICE_ROLE_KEY, {"name": "librarian", "model": model})["id"]
    if not tools:
        tools.append(new_tool(back_end))
    assignment = {"tool_type": "custom", "tool_id": tools[0], "tool_name": "search_user_articles"}
    post(f"/api/agents/{agent}/tools", SERVICE_ROLE_KEY, assignment)
    return agent


def new_tool(back_end):
    schema = {
        "type": "object",
        "properties": {"query": {"type": "string"}, "session_token": {"type": "string"}},
        "required": ["query", "session_token"],
    }
    tool = {
        "name": "search_user_articles",
        "description": "Searches the user's saved articles for relevant content.",
        "type": "http",
        "input_schema": schema,
        "config": {"endpoint": f"{back_end}/internal/tools/search-articles", "method": "POST"},
    }
    return post("/api/tools", SERVICE_ROLE_KEY, tool)["id"]
