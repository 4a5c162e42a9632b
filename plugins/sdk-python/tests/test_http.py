import unittest
import urllib.request
from typing import Any

from behalf_sdk import HttpError, ToolError, http, tool
from behalf_sdk.errors import http_error
from behalf_sdk.testing import MockHost

API = "https://api.example.com"


class HttpTest(unittest.TestCase):
    def test_a_request_is_one_line(self) -> None:
        @tool(read_only=True, open_world=True)
        def rate(base: str) -> float:
            """The rate."""
            return float(http.get(f"{API}/rates?day=1", params={"base": base, "none": None}).json()["rate"])

        host = MockHost().responds(f"GET {API}/rates", {"rate": 1.5})
        self.assertEqual(host.call(rate, base="E R"), 1.5)
        self.assertEqual(host.requests[0].url, f"{API}/rates?day=1&base=E+R")

    def test_bodies_and_headers_arrive(self) -> None:
        host = MockHost().responds("", lambda request: request.content, headers={"X-Made": "a"})
        with host:
            answer = http.post(f"{API}/x", json={"a": "é"}, headers={"X-Key": "k"}, auth=("u", "p"))
            self.assertEqual((answer.text, answer.headers["x-made"], answer.ok), ('{"a":"é"}', "a", True))
            http.put(API, data={"a": "1 2", "b": ["x", "y"]})
            http.patch(API, data=b"\x00", headers={"Content-Type": "a/b"})
        posted, put, patched = host.requests
        self.assertEqual(posted.headers["content-type"], "application/json")
        self.assertEqual((posted.headers["x-key"], posted.headers["authorization"]), ("k", "Basic dTpw"))
        self.assertEqual((posted.headers["content-length"], posted.json()), ("10", {"a": "é"}))
        self.assertEqual((put.url, put.content), (f"{API}/", b"a=1+2&b=x&b=y"))
        self.assertEqual((patched.method, patched.content, patched.headers["content-type"]), ("PATCH", b"\x00", "a/b"))

    def test_a_status_is_an_error_only_where_one_asks(self) -> None:
        with MockHost().responds(API, "gone", status=503):
            answer = http.get(API)
            self.assertEqual((answer.status_code, answer.ok, answer.text), (503, False, "gone"))
            with self.assertRaises(HttpError) as raised:
                answer.raise_for_status()
            error = raised.exception
            self.assertEqual((error.code, error.status, error.retryable), ("status", 503, True))
            with self.assertRaisesRegex(ToolError, "status 503 and no JSON"):
                answer.json()

    def test_redirects_are_followed_and_tell_others_no_secret(self) -> None:
        host = MockHost().responds("https://b.test/end", "end")
        host.responds(f"POST {API}/start", "", status=302, headers={"Location": "/next"})
        host.responds(f"GET {API}/next", "", status=307, headers={"Location": "https://b.test/end"})
        host.responds("https://round.test", "", status=301, headers={"location": "/again"})
        with host:
            self.assertEqual(http.post(f"{API}/start", json=1, headers={"Authorization": "Bearer x"}).url, "https://b.test/end")
            self.assertEqual(["authorization" in one.headers for one in host.requests], [True, True, False])
            self.assertEqual(host.requests[1].content, b"")
            self.assertEqual(http.get(f"{API}/next", allow_redirects=False).status_code, 307)
            with self.assertRaisesRegex(HttpError, "more than 5 times"):
                http.get("https://round.test/x")

    def test_a_tool_sends_what_it_says_of_itself(self) -> None:
        def send(method: str) -> None:
            """Sends."""
            http.request(method, API)

        refused: list[tuple[dict[str, Any], str, str]] = [
            ({}, "GET", r"it can send no request: write @tool\(open_world=True\)"),
            ({"open_world": True, "read_only": True}, "POST", "may send GET and HEAD alone, and not POST"),
        ]
        for hints, method, message in refused:
            with self.assertRaisesRegex(ToolError, message) as raised:
                MockHost().call(tool(**hints)(send), method=method)
            self.assertEqual(raised.exception.code, "denied")

    def test_what_is_no_address_is_refused(self) -> None:
        for url in ["api.example.com", "ftp://x.test", "https://", "https://u:p@x.test/"]:
            with MockHost(), self.assertRaises(HttpError) as raised:
                http.get(url)
            self.assertEqual(raised.exception.code, "invalid", url)

    def test_every_failure_has_a_sentence(self) -> None:
        for name, code, retryable in [
            ("HttpRequestDenied", "denied", False),
            ("DestinationIpProhibited", "denied", False),
            ("HttpRequestUriInvalid", "invalid", False),
            ("HttpResponseBodySize", "limit", False),
            ("ConnectionReadTimeout", "timeout", True),
            ("TlsCertificateError", "unreachable", True),
        ]:
            error = http_error(name, "a.test:8443")
            self.assertEqual((error.code, error.retryable), (code, retryable), name)
            self.assertIn("a.test:8443", error.message)
        refused = http_error("InternalError", "a.test", "the secret key has no value yet")
        self.assertEqual((refused.code, refused.retryable), ("refused", False))
        self.assertEqual(refused.message, "The request to a.test failed: the secret key has no value yet.")

    def test_requests_of_pythons_own_library_are_answered_too(self) -> None:
        @tool(open_world=True)
        def ask(path: str) -> str:
            """Asks."""
            asked = urllib.request.Request(f"{API}/{path}", data=b"x", headers={"X-Key": "k", "Host": "other.test"})
            with urllib.request.urlopen(asked, timeout=5) as answer:
                return f"{answer.status} {answer.reason} {answer.headers['content-type']} {answer.read().decode()}"

        before = urllib.request._opener  # type: ignore[attr-defined]
        host = MockHost().responds(f"POST {API}/a", "yes", status=201).responds(f"POST {API}/gone", "", status=404)
        host.responds(f"POST {API}/moved", "", status=302, headers={"Location": "/b"}).responds(f"GET {API}/b", "there")
        self.assertEqual(host.call(ask, path="a"), "201 Created text/plain;charset=UTF-8 yes")
        self.assertEqual((host.requests[0].content, host.requests[0].headers["x-key"]), (b"x", "k"))
        self.assertNotIn("host", host.requests[0].headers)
        self.assertEqual(host.call(ask, path="moved"), "200 OK text/plain;charset=UTF-8 there")
        with self.assertRaisesRegex(ToolError, "HTTPError"):
            host.call(ask, path="gone")
        self.assertIs(urllib.request._opener, before)  # type: ignore[attr-defined]

    def test_an_unforeseen_request_fails_the_test(self) -> None:
        @tool(open_world=True)
        def send() -> Any:
            """Sends."""
            return http.get(API).text

        with self.assertRaisesRegex(AssertionError, f"GET {API}/"):
            MockHost().call(send)
        failing = MockHost().responds(API, http_error("ConnectionRefused", "api.example.com"))
        with self.assertRaisesRegex(ToolError, "could not be reached") as raised:
            failing.call(send)
        self.assertTrue(raised.exception.retryable)


if __name__ == "__main__":
    unittest.main()
