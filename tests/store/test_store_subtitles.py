from dataclasses import replace

from htdl.jobs import Subtitle
from htdl.store import jobs, subtitles

ENGLISH = Subtitle(
    file_index=1, path="/s/v/en.vtt", language="en", title="English", origin="track 2", note="styles lost"
)
UNKNOWN = Subtitle(file_index=1, path="/s/v/und.vtt")


async def test_subtitles_come_back_as_they_were(db, new_job):
    job = new_job(1)
    await db.run(jobs.insert, job)
    await db.run(subtitles.replace_all, job.id, 1, [UNKNOWN, ENGLISH])
    assert await db.read(subtitles.of, [job.id, "other"]) == {job.id: (ENGLISH, UNKNOWN), "other": ()}


async def test_those_of_one_file_are_replaced_and_those_of_another_stay(db, new_job):
    job = new_job(1)
    other = Subtitle(file_index=2, path="/s/v/2.en.vtt", language="en")
    await db.run(jobs.insert, job)
    await db.run(subtitles.replace_all, job.id, 1, [ENGLISH, UNKNOWN])
    await db.run(subtitles.replace_all, job.id, 2, [other])
    new = replace(ENGLISH, note="")
    await db.run(subtitles.replace_all, job.id, 1, [new])
    assert (await db.read(subtitles.of, [job.id]))[job.id] == (new, other)


async def test_a_path_belongs_to_the_file_that_named_it_last(db, new_job):
    job = new_job(1)
    await db.run(jobs.insert, job)
    for index in (1, 2):
        await db.run(subtitles.replace_all, job.id, index, [ENGLISH])
    assert (await db.read(subtitles.of, [job.id]))[job.id] == (replace(ENGLISH, file_index=2),)


async def test_a_removed_job_stays_removed(db, new_job):
    await db.run(subtitles.replace_all, new_job(1).id, 1, [ENGLISH])
    assert await db.read(subtitles.of, [new_job(1).id]) == {new_job(1).id: ()}


async def test_all_subtitles_by_job(db, new_job):
    assert await db.read(subtitles.every) == {}
    for number in (1, 2):
        await db.run(jobs.insert, new_job(number))
    await db.run(subtitles.replace_all, new_job(2).id, 1, [UNKNOWN, ENGLISH])
    assert await db.read(subtitles.every) == {new_job(2).id: (ENGLISH, UNKNOWN)}


async def test_a_folder_is_had_while_a_path_begins_with_it(db, new_job):
    await db.run(jobs.insert, new_job(1))
    await db.run(subtitles.replace_all, new_job(1).id, 1, [ENGLISH])
    assert [await db.read(subtitles.has_folder, x) for x in ("/s/v/", "/s/V/", "/s/v/e/", "/s/%/")] == [
        True,
        False,
        False,
        False,
    ]
