"""Amazon's side of the tests of `cloudevents_aws`, on moto: python aws.py ENDPOINT COMMAND [JSON].

`prepare` makes a user with a key, a topic and a queue that is subscribed to it, and prints their names as JSON. `receive` prints the messages of
the queue as JSON. `publish` runs 1.x's own trigger (needs pyaviso 1.x) with `{notification, protocol}`.
"""

import json
import sys

import boto3

endpoint, command = sys.argv[1:3]
given = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
REGION = "eu-west-2"


def client(service):
    keys = {name: given.get(name, "setup") for name in ("aws_access_key_id", "aws_secret_access_key")}
    return boto3.client(service, region_name=REGION, endpoint_url=endpoint, **keys)


if command == "prepare":
    iam, sns, sqs = client("iam"), client("sns"), client("sqs")
    iam.create_user(UserName="listener")
    key = iam.create_access_key(UserName="listener")["AccessKey"]
    statement = {"Effect": "Allow", "Action": ["sns:Publish", "sqs:*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="listener", PolicyName="publish", PolicyDocument=policy)
    fifo = {"FifoTopic": "true"} if given.get("fifo") else {}
    suffix = ".fifo" if fifo else ""
    topic = sns.create_topic(Name="flights" + suffix, Attributes=fifo)["TopicArn"]
    queue = sqs.create_queue(QueueName="inbox" + suffix, Attributes={"FifoQueue": "true"} if fifo else {})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    key = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    print(json.dumps({"topic": topic, "queue": queue, "key": key}))
elif command == "receive":
    answer = client("sqs").receive_message(QueueUrl=given["queue"], MaxNumberOfMessages=10, AttributeNames=["All"])
    messages = answer.get("Messages", [])
    print(json.dumps([{"body": json.loads(each["Body"]), "attributes": each["Attributes"]} for each in messages]))
elif command == "publish":
    from pyaviso.triggers.post_trigger import PostCloudEventsAws

    PostCloudEventsAws(given["notification"], given["protocol"]).execute()
