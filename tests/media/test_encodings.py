"""Text of an encoding that nobody named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from htdl.media.encodings import decode

FRENCH = "À côté de la forêt, où es-tu allé ? C'était l'été dernier, là-bas."
SPANISH = "¿Dónde estabas? ¡Mañana!"
GERMAN = "Grüß dich, wo warst du gestern? Schöne Straße."
DANISH = "Hvor var du i går? Jeg læste bøger på øen."
RUSSIAN = "Привет, как дела? Где ты был вчера вечером? Я был дома и читал книгу."
GREEK = "Γεια σου, πού ήσουν χθες το βράδυ; Ήμουν στο σπίτι και διάβαζα ένα βιβλίο."
HEBREW = "שלום, איפה היית אתמול בערב? הייתי בבית וקראתי ספר."
ARABIC = "مرحبا، أين كنت مساء أمس؟ كنت في البيت أقرأ كتابا."
CHINESE = "你好，你昨天晚上去哪裡了？我在家裡看書。"
SIMPLIFIED = "你好，你昨天晚上去哪里了？我在家里看书。"
JAPANESE = "こんにちは、昨日の夜はどこにいましたか。家で本を読んでいました。"
KOREAN = "안녕하세요, 어젯밤에 어디 있었어요? 집에서 책을 읽고 있었어요."
POLISH = "Cześć, gdzie byłeś wczoraj wieczorem? Byłem w domu i czytałem książkę."
TURKISH = "Dün akşam neredeydin? Işık güzel, şimdi değil."


def srt(words: str) -> str:
    return f"1\n00:00:01,000 --> 00:00:04,000\n{words}\n\n2\n00:00:05,000 --> 00:00:08,000\nYes.\n"


@pytest.mark.parametrize(
    ("words", "encoding"),
    [
        (FRENCH, "cp1252"),
        (SPANISH, "cp1252"),
        (GERMAN, "cp1252"),
        (DANISH, "cp1252"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8_r"),
        (GREEK, "cp1253"),
        (HEBREW, "cp1255"),
        (ARABIC, "cp1256"),
        (CHINESE, "big5"),
        (SIMPLIFIED, "gb18030"),
        (JAPANESE, "cp932"),
        (KOREAN, "cp949"),
    ],
)
def test_an_alphabet_is_told_by_its_letters(words: str, encoding: str) -> None:
    assert decode(srt(words).encode(encoding)) == srt(words)


@pytest.mark.parametrize(
    ("words", "encoding", "language"),
    [
        (POLISH, "cp1250", "pl"),
        (TURKISH, "cp1254", "tur"),
        (RUSSIAN, "cp1251", "ru"),
        (FRENCH, "cp1252", "fr"),
        (JAPANESE, "cp932", "ja-JP"),
    ],
)
def test_the_language_of_its_name_tells_the_code_page(words: str, encoding: str, language: str) -> None:
    assert decode(srt(words).encode(encoding), language) == srt(words)


def test_a_language_that_cannot_be_is_not_believed() -> None:
    assert decode(srt(RUSSIAN).encode("cp1251"), "ja") == srt(RUSSIAN)
    assert decode(srt(FRENCH).encode(), "ru") == srt(FRENCH)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("words", [FRENCH, RUSSIAN, CHINESE])
def test_unicode_is_certain(words: str, encoding: str) -> None:
    assert decode(srt(words).encode(encoding), "ru") == srt(words)


def test_utf8_with_a_fault_is_utf8() -> None:
    data = srt(RUSSIAN * 10).encode()
    assert decode(data.replace("Я".encode(), b"\xff", 1)) == srt(RUSSIAN * 10).replace("Я", "\ufffd", 1)
    assert decode(RUSSIAN[:-1].encode()[:-1]).startswith(RUSSIAN[:-2])


@given(st.binary(max_size=400), st.sampled_from([None, "", "ru", "zz", "ja", "x" * 50]))
def test_nothing_makes_it_fail(data: bytes, language: str | None) -> None:
    assert isinstance(decode(data, language), str)
