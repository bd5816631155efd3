"""Where the accounts are kept: an address of PostgreSQL without a password, which is elsewhere."""

from pathlib import Path

import pytest

from config.secret import Secret
from tests.config.files import loaded, only_problem, text_of

URL = "postgresql://engineroom@db.example/accounts"


def database(url: str, more: str = "") -> str:
    """`database` stands in line 9."""
    return text_of(more=f'database: "{url}"\n{more}')


def test_without_one_the_accounts_are_in_a_file(tmp_path: Path) -> None:
    settings = loaded(tmp_path, text_of())
    assert (settings.database, settings.database_password) == (None, None)


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "postgresql://localhost/accounts",
        "postgresql://engineroom@[::1]:5433/accounts?sslmode=require",
        "postgresql://engineroom@/accounts?host=/var/run/postgresql",
    ],
)
def test_an_address_of_postgresql_is_taken_as_it_is(tmp_path: Path, url: str) -> None:
    assert loaded(tmp_path, database(url)).database == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://engineroom:hunter2@db.example/accounts",
        "postgresql://engineroom:hunter2@db.example:5433/accounts",
        "postgresql://engineroom:@db.example/accounts",
        "postgresql://engineroom:hun@ter2@db.example/accounts",
        "postgresql://engineroom@db.example/accounts?password=hunter2",
        "postgresql://db.example/accounts?sslmode=require&password=hunter2&user=x",
    ],
)
def test_a_password_within_it_is_refused_and_not_printed(tmp_path: Path, url: str) -> None:
    assert only_problem(tmp_path, database(url)) == (
        "database",
        9,
        "holds a password; use database_password_file or database_password_environment",
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://engineroom:hunter2/3@db.example/accounts",  # a slash in the password: no port, then
        "postgresql://engineroom:12/hunter2@db.example/accounts",
        "postgresql://engineroom:12#hunter2@db.example/accounts",
        "postgresql://engineroom:12?hunter2@db.example/accounts",
        "postgresql://engineroom@hunter2@db.example/accounts",
        "postgresql://[::1/hunter2",
        "postgresql://db.example:99999/hunter2",
    ],
)
def test_an_address_that_cannot_be_read_is_refused_and_not_printed(tmp_path: Path, url: str) -> None:
    key, line, message = only_problem(tmp_path, database(url))
    assert (key, line) == ("database", 9)
    assert message == "cannot be read as postgresql://USER@HOST:PORT/DATABASE"


@pytest.mark.parametrize(
    "text",
    [
        "mysql://engineroom:hunter2@db.example/accounts",
        "host=db.example user=engineroom password=hunter2",
        "sqlite:///accounts.sqlite",
        "accounts.sqlite",
        "postgresql://db.example/acc ounts",
        "",
    ],
)
def test_anything_else_is_refused_and_a_password_in_it_not_printed(tmp_path: Path, text: str) -> None:
    key, line, message = only_problem(tmp_path, database(text))
    assert (key, line) == ("database", 9)
    assert "PostgreSQL: postgresql://USER@HOST/DATABASE" in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    "source", ["database_password_file: secret\n", "database_password_environment: RPC_PASSWORD\n"]
)
def test_its_password_comes_from_beside_the_file_or_from_the_environment(tmp_path: Path, source: str) -> None:
    (tmp_path / "secret").write_text("x\n")
    settings = loaded(tmp_path, database(URL, source))
    assert settings.database_password == Secret("x")
    assert settings.database_password_file in (None, f"{tmp_path}/secret")


def test_two_passwords_are_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x\n")
    both = "database_password_file: secret\ndatabase_password_environment: RPC_PASSWORD\n"
    assert only_problem(tmp_path, database(URL, both)) == (
        "database_password_file",
        10,
        "and database_password_environment are both given; keep one",
    )


def test_a_password_without_a_database_is_refused(tmp_path: Path) -> None:
    key, line, message = only_problem(tmp_path, text_of(more="database_password_environment: RPC_PASSWORD\n"))
    assert (key, line) == ("database_password_environment", 9)
    assert message.startswith("has no effect without database")


def test_a_password_in_the_file_is_refused_and_not_repeated(tmp_path: Path) -> None:
    key, line, message = only_problem(tmp_path, database(URL, "database_password: hunter2\n"))
    assert (key, line) == ("database_password", 10)
    assert message.endswith("file; use database_password_file or database_password_environment")
    assert "hunter2" not in message


def test_a_password_does_not_show_in_what_is_printed_of_the_settings(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    assert "hunter2" not in repr(loaded(tmp_path, database(URL, "database_password_file: secret\n")))
