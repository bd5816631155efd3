"""The Authorization header of one node, from its cookie file or its user and password. Sends nothing."""

import base64

from pool.node.endpoint import NodeEndpoint


class CredentialsError(Exception):
    """There is nothing to authenticate with at the moment; one line that says what to check."""


class Credentials:
    """Keeps the header between calls; `forget()` after a 401, since a restarted node writes a new cookie."""

    def __init__(self, endpoint: NodeEndpoint) -> None:
        self._endpoint = endpoint
        self._header: str | None = None

    def header(self) -> str:
        if self._header is None:
            self._header = "Basic " + base64.b64encode(self._user_and_password()).decode("ascii")
        return self._header

    def forget(self) -> None:
        self._header = None

    def _user_and_password(self) -> bytes:
        endpoint = self._endpoint
        if endpoint.cookie_file is not None:
            return self._read_cookie()
        assert endpoint.password is not None  # noqa: S101  (NodeEndpoint refuses to exist otherwise)
        return f"{endpoint.user}:{endpoint.password()}".encode()

    def _read_cookie(self) -> bytes:
        # 75 bytes on a local disk, at a start or after a 401: not worth a thread.
        path = self._endpoint.cookie_file
        assert path is not None  # noqa: S101  (the caller has looked)
        try:
            cookie = path.read_bytes().strip()
        except FileNotFoundError:
            raise CredentialsError(
                f"the cookie file {path} does not exist: is the node running, and is this its data directory?"
            ) from None
        except OSError as error:
            raise CredentialsError(
                f"the cookie file {path} cannot be read ({error.strerror}): let this user read it, "
                "or use user and password"
            ) from None
        if b":" not in cookie:
            raise CredentialsError(f"{path} is not a cookie file of a node (no user:password in it)")
        return cookie
