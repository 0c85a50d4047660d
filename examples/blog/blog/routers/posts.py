import logging
from typing import Optional
from xml.sax.saxutils import escape

from fastapi import APIRouter, Depends, Header, HTTPException, Response
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from blog.config import settings
from blog.database import get_db
from blog.dependencies import get_current_author, get_editor
from blog.models import Author, Comment, Post, Tag, post_tags
from blog.repositories.authors import AuthorRepository
from blog.repositories.posts import PostRepository
from blog.schemas import CommentIn, CommentOut, PostIn, PostOut, PostUpdate
from blog.services.mail import send_mail
from blog.services.posts import VIEWS, PostService, post_out

logger = logging.getLogger(__name__)

router = APIRouter(tags=["posts"])

MAX_COMMENT = 500
BAD_WORDS = ("casino", "viagra")


def get_posts(db: AsyncSession = Depends(get_db)) -> PostService:
    return PostService(PostRepository(db), AuthorRepository(db))


@router.post("/posts", status_code=201)
async def create_post(
    data: PostIn,
    response: Response,
    author: Author = Depends(get_current_author),
    service: PostService = Depends(get_posts),
) -> PostOut:
    post = await service.create(author, data)
    response.headers["Location"] = f"/posts/{post.slug}"
    return post_out(post)


@router.get("/posts")
async def list_posts(
    tag: Optional[str] = None, db: AsyncSession = Depends(get_db)
) -> list[PostOut]:
    posts = await PostRepository(db).published()
    if tag:
        posts = [post for post in posts if tag in [each.name for each in post.tags]]
    return [post_out(post) for post in posts]


@router.get("/posts/mine")
async def my_posts(
    author: Author = Depends(get_current_author), db: AsyncSession = Depends(get_db)
) -> list[PostOut]:
    return [post_out(post) for post in await PostRepository(db).of_author(author.id)]


@router.get("/posts/{slug}")
async def read_post(
    slug: str,
    authorization: str = Header(""),
    db: AsyncSession = Depends(get_db),
    service: PostService = Depends(get_posts),
) -> PostOut:
    reader = None
    if authorization:
        token = authorization.removeprefix("Bearer ")
        result = await db.execute(select(Author).where(Author.token == token))
        reader = result.scalar_one_or_none()
    return post_out(await service.read(slug, reader))


@router.patch("/posts/{slug}")
async def change_post(
    slug: str,
    data: PostUpdate,
    author: Author = Depends(get_current_author),
    service: PostService = Depends(get_posts),
) -> PostOut:
    return post_out(await service.change(slug, author, data))


@router.post("/posts/{slug}/publish")
async def publish_post(
    slug: str,
    author: Author = Depends(get_current_author),
    service: PostService = Depends(get_posts),
) -> PostOut:
    return post_out(await service.publish(slug, author))


@router.post("/posts/{slug}/like")
async def like_post(slug: str, service: PostService = Depends(get_posts)) -> PostOut:
    return post_out(await service.like(slug))


@router.delete("/posts/{slug}", status_code=204)
async def delete_post(
    slug: str,
    author: Author = Depends(get_current_author),
    service: PostService = Depends(get_posts),
) -> None:
    await service.delete(slug, author)


@router.post("/posts/{slug}/comments", status_code=201)
async def create_comment(
    slug: str,
    data: CommentIn,
    author: Author = Depends(get_current_author),
    db: AsyncSession = Depends(get_db),
) -> CommentOut:
    result = await db.execute(select(Post).where(Post.slug == slug))
    post = result.scalar_one_or_none()
    if post is None or not post.published:
        raise HTTPException(status_code=404, detail=f"No post {slug}")
    text = data.text.strip()
    if not text:
        raise HTTPException(status_code=422, detail="A comment says something")
    if len(text) > MAX_COMMENT:
        raise HTTPException(
            status_code=422, detail=f"A comment has {MAX_COMMENT} characters at most"
        )
    spam = any(word in text.lower() for word in BAD_WORDS)
    known = await db.scalar(
        select(func.count())
        .select_from(Comment)
        .where(Comment.author_id == author.id, Comment.approved.is_(True))
    )
    approved = not spam and (author.is_editor or bool(known) or author.id == post.author_id)
    if spam:
        logger.warning("spam from %s on %s", author.handle, slug)
    comment = Comment(post_id=post.id, author_id=author.id, text=text, approved=approved)
    db.add(comment)
    await db.commit()
    await db.refresh(comment)
    owner = await db.get(Author, post.author_id)
    if owner is not None and owner.id != author.id:
        send_mail(owner.email, f"A comment on {post.title}", text)
    return CommentOut(
        id=comment.id, text=comment.text, author=author.handle, approved=comment.approved
    )


@router.get("/posts/{slug}/comments")
async def list_comments(slug: str, db: AsyncSession = Depends(get_db)) -> list[CommentOut]:
    post = await PostRepository(db).get(slug)
    result = await db.execute(
        select(Comment)
        .where(Comment.post_id == post.id, Comment.approved.is_(True))
        .order_by(Comment.id)
    )
    found = []
    for comment in result.scalars().all():
        author = await db.get(Author, comment.author_id)
        found.append(
            CommentOut(
                id=comment.id,
                text=comment.text,
                author=author.handle,
                approved=comment.approved,
            )
        )
    return found


@router.post("/comments/approve", dependencies=[Depends(get_editor)])
async def approve_comments(ids: list[int], db: AsyncSession = Depends(get_db)):
    done = 0
    for number in ids:
        comment = await db.get(Comment, number)
        if comment is not None and not comment.approved:
            comment.approved = True
            done += 1
            await db.commit()
    return {"approved": done}


@router.get("/tags")
async def list_tags(db: AsyncSession = Depends(get_db)):
    result = await db.execute(select(Tag).order_by(Tag.name))
    found = []
    for tag in result.scalars().all():
        count = await db.scalar(
            select(func.count()).select_from(post_tags).where(post_tags.c.tag_id == tag.id)
        )
        found.append({"name": tag.name, "posts": count})
    return found


@router.get("/views", dependencies=[Depends(get_editor)])
async def views():
    return [{"slug": slug, "views": count} for slug, count in sorted(VIEWS.items())]


@router.get("/rss")
async def rss(db: AsyncSession = Depends(get_db)) -> Response:
    posts = await PostRepository(db).published()
    items = "".join(
        f"<item><title>{escape(post.title)}</title><link>{settings.site}/{post.slug}</link></item>"
        for post in posts[:20]
    )
    text = f'<?xml version="1.0"?><rss version="2.0"><channel>{items}</channel></rss>'
    return Response(text, media_type="application/rss+xml")
