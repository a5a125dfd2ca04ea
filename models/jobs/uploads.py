"""Large uploads: the parts that Telegram has acknowledged, so that an upload continues after a restart.

A row belongs to one job and names the source document, so parts of two files are never mixed.
"""

from dataclasses import dataclass

from models.database import execute, marks, transaction
from models.jobs import states
from models.tables import Upload


@dataclass(frozen=True, slots=True)
class UploadInfo:
    """The progress of one upload. ``parts`` has a bit for each part; the lowest bit of the first byte is part 0."""

    document_id: int
    file_id: int
    part_bytes: int
    parts_total: int
    parts: bytes

    def has(self, part: int) -> bool:
        """Whether Telegram has acknowledged this part."""
        return bool(self.parts[part // 8] >> part % 8 & 1)


def of(job_id: int, document_id: int) -> UploadInfo | None:
    """Return the progress of an earlier attempt with this document. That of another document (an edit) is deleted."""
    with transaction():
        row = Upload.get_or_none(Upload.job == job_id)
        if row is None:
            return None
        if row.document_id != document_id:
            row.delete_instance()
            return None
    return UploadInfo(
        document_id=row.document_id,
        file_id=row.file_id,
        part_bytes=row.part_bytes,
        parts_total=row.parts_total,
        parts=bytes(row.parts),
    )


def save(job_id: int, owner: str, upload: UploadInfo, now: int) -> None:
    """Store the acknowledged parts in place of those that were stored.

    :raises LeaseLost: the job has ended or belongs to another worker.
    """
    with transaction(durable=False):
        states.held_by(job_id, owner)
        forget(job_id)
        Upload.create(
            job=job_id,
            document_id=upload.document_id,
            file_id=upload.file_id,
            part_bytes=upload.part_bytes,
            parts_total=upload.parts_total,
            parts=upload.parts,
            at=now,
        )


def drop(job_id: int) -> None:
    """Delete the progress: Telegram has refused it, and the upload begins anew with another file id."""
    with transaction():
        forget(job_id)


def forget(*job_ids: int) -> None:
    """Do as :func:`drop` inside the caller's transaction, when the jobs end."""
    execute(f"DELETE FROM upload WHERE job_id IN ({marks(job_ids)})", job_ids)
