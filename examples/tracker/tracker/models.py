import datetime

from sqlalchemy import Boolean, Column, DateTime, Float, ForeignKey, Integer, String, Text
from sqlalchemy.orm import relationship

from tracker.db import Base


class User(Base):
    __tablename__ = "users"

    id = Column(Integer, primary_key=True)
    name = Column(String(80), nullable=False, unique=True)
    email = Column(String(200), nullable=False)
    hashed_password = Column(String(200), nullable=False)
    token = Column(String(64), index=True)
    admin = Column(Boolean, nullable=False, default=False)


class Project(Base):
    __tablename__ = "projects"

    id = Column(Integer, primary_key=True)
    key = Column(String(10), nullable=False, unique=True)
    name = Column(String(100), nullable=False)
    archived = Column(Boolean, nullable=False, default=False)

    members = relationship("Member", back_populates="project")
    issues = relationship("Issue", back_populates="project")


class Member(Base):
    __tablename__ = "members"

    id = Column(Integer, primary_key=True)
    project_id = Column(Integer, ForeignKey("projects.id"), nullable=False)
    user_id = Column(Integer, ForeignKey("users.id"), nullable=False)
    role = Column(String(20), nullable=False, default="developer")

    project = relationship("Project", back_populates="members")
    user = relationship("User")


class Issue(Base):
    __tablename__ = "issues"

    id = Column(Integer, primary_key=True)
    project_id = Column(Integer, ForeignKey("projects.id"), nullable=False, index=True)
    number = Column(Integer, nullable=False)
    title = Column(String(200), nullable=False)
    text = Column(Text, nullable=False, default="")
    status = Column(String(20), nullable=False, default="open")
    priority = Column(Integer, nullable=False, default=3)
    reporter_id = Column(Integer, ForeignKey("users.id"), nullable=False)
    assignee_id = Column(Integer, ForeignKey("users.id"))
    created = Column(DateTime, default=datetime.datetime.utcnow)

    project = relationship("Project", back_populates="issues")
    reporter = relationship("User", foreign_keys=[reporter_id])
    assignee = relationship("User", foreign_keys=[assignee_id])
    comments = relationship("Comment", back_populates="issue", order_by="Comment.id")


class Comment(Base):
    __tablename__ = "comments"

    id = Column(Integer, primary_key=True)
    issue_id = Column(Integer, ForeignKey("issues.id"), nullable=False, index=True)
    author_id = Column(Integer, ForeignKey("users.id"), nullable=False)
    text = Column(Text, nullable=False)

    issue = relationship("Issue", back_populates="comments")
    author = relationship("User")


class TimeEntry(Base):
    __tablename__ = "time_entries"

    id = Column(Integer, primary_key=True)
    issue_id = Column(Integer, ForeignKey("issues.id"), nullable=False)
    user_id = Column(Integer, ForeignKey("users.id"), nullable=False)
    hours = Column(Float, nullable=False)


class Attachment(Base):
    __tablename__ = "attachments"

    id = Column(Integer, primary_key=True)
    issue_id = Column(Integer, ForeignKey("issues.id"), nullable=False)
    name = Column(String(200), nullable=False)
    size = Column(Integer, nullable=False)
