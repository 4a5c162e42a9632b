"""Recipe 2 with the user's own token in each request. There is no back end: browsers start runs themselves, and tools act as the user
of the run. A tool that runs elsewhere is told by a signature who that is."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
from supabase import ClientOptions, create_client

from app import BASE_URL, SERVICE_ROLE_KEY, events_of, get, headers, http, post

keys = jwt.PyJWKClient(f"{BASE_URL}/.well-known/jwks.json")


def new_agent(model):
    """Once: one agent for all users. `database_query` reads tables as the user of the run."""
    agent = post("/api/agents", SERVICE_ROLE_KEY, {"name": "librarian", "model": model})["id"]
    for kind, name in (("builtin", "database_query"), ("custom", "search_user_articles")):
        post(f"/api/agents/{agent}/tools", SERVICE_ROLE_KEY, {"tool_type": kind, "tool_name": name})
    return agent


def chat(agent, message, user, session=None):
    """In the app: asks, and shows what comes."""
    body = {"message": message, "session_id": session}
    with http.stream("POST", f"/api/agents/{agent}/run/stream", headers=headers(user.token), json=body) as stream:
        stream.raise_for_status()
        yield from events_of(stream)


def new_tool(server):
    """Once: a tool that runs on a server of the app's. No argument says who the user is."""
    schema = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
    tool = {
        "name": "search_user_articles",
        "description": "Searches the user's saved articles for relevant content.",
        "type": "http",
        "input_schema": schema,
        "config": {"endpoint": f"{server}/search-articles", "method": "POST", "read_only": "declared"},
    }
    post("/api/tools", SERVICE_ROLE_KEY, tool)


def user_of(assertion, server):
    """The platform's signature says for whom the tool is called."""
    try:
        key = keys.get_signing_key_from_jwt(assertion)
        return jwt.decode(assertion, key, algorithms=["ES256"], issuer=BASE_URL, audience=server)["sub"]
    except (jwt.PyJWTError, jwt.PyJWKClientError):
        return None


class ToolServer(BaseHTTPRequestHandler):
    """The tool's server."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        assertion = (self.headers["Authorization"] or "").removeprefix("Bearer ")
        user = user_of(assertion, f"http://127.0.0.1:{self.server.server_port}")
        if not user:
            return self.send_error(401)
        # The client acts as this user, so the policies of the app's tables decide, and no filter can be forgotten.
        as_user = create_client(BASE_URL, SERVICE_ROLE_KEY, ClientOptions(headers={"X-Behalf-Act-As": user}))
        found = as_user.rpc("search_articles", {"words": json.loads(body)["query"]}).execute().data
        results = [{"title": article["title"], "body": article["body"]} for article in found]
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps({"results": results}).encode())

    def log_message(self, *_):
        pass


def start_tool_server(port):
    server = ThreadingHTTPServer(("127.0.0.1", port), ToolServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def messages_of(session, user):
    """What was said in a conversation. The platform keeps it, for this user alone."""
    return get(f"/api/sessions/{session}/messages", user.token)["messages"]
