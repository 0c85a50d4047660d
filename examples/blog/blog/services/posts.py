import re

from fastapi import HTTPException, status

from blog.models import Author, Post
from blog.repositories.authors import AuthorRepository
from blog.repositories.posts import PostRepository
from blog.schemas import PostIn, PostOut, PostUpdate
from blog.services.mail import send_mail
from blog.services.previews import fetch_preview

# how often each post was read since the start, for the page of the editors
VIEWS: dict[str, int] = {}


def slugify(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def post_out(post: Post) -> PostOut:
    return PostOut(
        id=post.id,
        slug=post.slug,
        title=post.title,
        body=post.body,
        published=post.published,
        likes=post.likes,
        author=post.author.handle,
        tags=[tag.name for tag in post.tags],
        preview=post.preview,
    )


class PostService:
    def __init__(self, posts: PostRepository, authors: AuthorRepository) -> None:
        self.posts = posts
        self.authors = authors

    async def create(self, author: Author, data: PostIn) -> Post:
        slug = slugify(data.title)
        if not slug:
            raise HTTPException(
                status_code=status.HTTP_422_UNPROCESSABLE_CONTENT, detail="A title has letters"
            )
        if await self.posts.slug_taken(slug):
            raise HTTPException(status_code=409, detail=f"There is a post {slug}")
        preview = fetch_preview(data.link) if data.link else None
        post = Post(
            slug=slug,
            title=data.title,
            body=data.body,
            link=data.link,
            preview=preview,
            author=author,
            tags=await self.posts.tags(data.tags),
        )
        return await self.posts.save(post)

    async def read(self, slug: str, reader: Author | None) -> Post:
        post = await self.posts.get(slug)
        if not post.published and (reader is None or reader.id != post.author_id):
            raise HTTPException(status_code=404, detail=f"No post {slug}")
        VIEWS[slug] = VIEWS.get(slug, 0) + 1
        return post

    async def change(self, slug: str, author: Author, data: PostUpdate) -> Post:
        post = await self.posts.get(slug)
        if post.author_id != author.id:
            raise HTTPException(status_code=403, detail="This is not your post")
        if data.title is not None:
            post.title = data.title
        if data.body is not None:
            post.body = data.body
        if data.tags is not None:
            post.tags = await self.posts.tags(data.tags)
        return await self.posts.save(post)

    async def publish(self, slug: str, author: Author) -> Post:
        post = await self.posts.get(slug)
        if post.author_id != author.id:
            raise HTTPException(status_code=403, detail="This is not your post")
        if post.published:
            raise HTTPException(status_code=409, detail="It is published already")
        post.published = True
        post = await self.posts.save(post)
        for follower in await self.authors.followers(author.id):
            try:
                send_mail(follower.email, post.title, f"{author.name} wrote {post.title}")
            except Exception:
                pass
        return post

    async def like(self, slug: str) -> Post:
        post = await self.posts.get(slug)
        post.likes += 1
        return await self.posts.save(post)

    async def delete(self, slug: str, author: Author) -> None:
        post = await self.posts.get(slug)
        if post.author_id != author.id and not author.is_editor:
            raise HTTPException(status_code=403, detail="This is not your post")
        await self.posts.delete(post)
