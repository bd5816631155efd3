"""The hash functions of headers and transactions: bytes in, 32 bytes in internal order out. Nothing else."""

from hashlib import scrypt, sha256

# Litecoin's and Dogecoin's proof of work; one hash takes 0.4 ms and releases the interpreter lock meanwhile.
_SCRYPT_N = 1024


def sha256d(data: bytes) -> bytes:
    """SHA-256 of SHA-256: every id on every coin here, and the proof of work of bitcoin."""
    return sha256(sha256(data).digest()).digest()


def scrypt_1024_1_1(header: bytes) -> bytes:
    """scrypt with N=1024, r=1, p=1, the header being password and salt (litecoin's src/crypto/scrypt.cpp)."""
    return scrypt(header, salt=header, n=_SCRYPT_N, r=1, p=1, dklen=32)
